"""The speech synthesiser eSpeak NG, as a library: text in, samples out.

It is found in the package `espeakng-loader`, which carries its voices, or on the system
(Debian: libespeak-ng1 with espeak-ng-data). Constants and layouts: espeak-ng/speak_lib.h.
"""

import ctypes
import ctypes.util
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]  # (N,), one channel

_RETRIEVAL = 1  # samples come to a callback, nothing is played
_DONT_EXIT = 0x8000
_UTF8 = (
    1  # text is UTF-8 and nothing else: without the flags for SSML and phonemes no text is obeyed
)
_RATE = 1  # the parameter: words a minute
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class NoSynthesiser(Exception):
    """None is here; the text says how to get one."""


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),  # a priority, then a language, ended by zero; repeated
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True)
class Voice:
    language: str  # e.g. "en-gb"
    name: str
    identifier: str  # the library's own, a file's


class Synthesiser:
    """Open before the process is confined; its voices stay readable below `folder`."""

    def __init__(self) -> None:
        """Raises NoSynthesiser."""
        self._library, data = _find()
        self.rate_hz = self._library.espeak_Initialize(
            _RETRIEVAL, 0, str(data).encode() if data else None, _DONT_EXIT
        )
        if self.rate_hz <= 0:
            raise NoSynthesiser("eSpeak NG is here, but not its voices: install it again.")
        self.folder = data or _own_folder(self._library)
        self._pieces: list[Samples] = []
        self._callback = _CALLBACK(self._take)  # kept, for the library only borrows it
        self._library.espeak_SetSynthCallback(self._callback)

    def voices(self) -> list[Voice]:
        """Return each language's best voice, by language."""
        listed = ctypes.cast(
            self._library.espeak_ListVoices(None), ctypes.POINTER(ctypes.POINTER(_Voice))
        )
        found: dict[str, Voice] = {}
        place = 0
        while listed[place]:
            voice = listed[place].contents
            language = ctypes.string_at(voice.languages + 1).decode()
            name, identifier = (voice.name or b"").decode(), (voice.identifier or b"").decode()
            found.setdefault(language, Voice(language, name, identifier))
            place += 1
        return sorted(found.values(), key=lambda voice: voice.language)

    def choose(self, language: str) -> bool:
        """Speak this language from now on; False if there is no voice for it."""
        known = (voice.identifier for voice in self.voices() if voice.language == language)
        identifier = next(known, None)
        return (
            identifier is not None and self._library.espeak_SetVoiceByName(identifier.encode()) == 0
        )

    def speak(self, text: str, words_a_minute: int) -> Samples:
        """Return the text as sound, without the silence after it."""
        self._pieces = []
        self._library.espeak_SetParameter(_RATE, words_a_minute, 0)
        data = text.encode() + b"\0"
        self._library.espeak_Synth(data, len(data), 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        sound = np.concatenate(self._pieces) if self._pieces else np.empty(0, np.int16)
        loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > 50)
        return sound[: int(loud[-1]) + 1] if loud.size else sound[:0]

    def _take(self, samples: Any, count: int, _events: Any) -> int:
        if count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def _find() -> tuple[ctypes.CDLL, Path | None]:
    """Return the library and the folder that holds its data, None for the library's own."""
    try:
        package = import_module("espeakng_loader")
        path, data = package.get_library_path(), Path(package.get_data_path()).parent
    except ImportError:
        path, data = ctypes.util.find_library("espeak-ng"), None
    if path is None:
        raise NoSynthesiser(
            "No speech synthesiser is on this server. Its operator can install eSpeak NG: "
            "`pip install espeakng-loader`, or the system's package espeak-ng."
        )
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise NoSynthesiser(f"eSpeak NG can't be loaded on this server: {error}.") from None
    library.espeak_ListVoices.restype = ctypes.c_void_p
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_Synth.argtypes = (
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
        ctypes.c_void_p, ctypes.c_void_p,
    )  # fmt: skip
    return library, data


def _own_folder(library: ctypes.CDLL) -> Path:
    path = ctypes.c_char_p()
    library.espeak_Info(ctypes.byref(path))
    return Path((path.value or b"/usr/share").decode())
