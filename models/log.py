"""How every process writes its log: a constant phrase and fields on one line, without secrets.

LOG_FORMAT=text is for eyes; json is for collectors: an object a line, each field under its own name.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from models.printable import printable
from settings import Settings

_SHORTEST_SECRET = 6  # characters; blotting out a shorter one would blot out ordinary words
_IN_URL = re.compile(r"(://[^\s:/@\"']*:)(?!\d+/)[^\s\"']*@")  # of whatever length, whosoever's
_FIELD = re.compile(r"(?:^| )(\w+)=(?=%)")
_CONVERSION = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]")
_Error = tuple[type[BaseException], BaseException, TracebackType | None]
_ErrorOrNone = _Error | tuple[None, None, None]


def configure(settings: Settings, stream: TextIO = sys.stdout) -> None:
    """Send this process's log to a stream, at level INFO; what nobody catches and warnings too."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(settings))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for each window
    logging.captureWarnings(True)
    sys.excepthook = _tell_uncaught
    threading.excepthook = lambda end: _tell_uncaught(
        end.exc_type, end.exc_value or end.exc_type(), end.exc_traceback
    )


def formatter(settings: Settings) -> logging.Formatter:
    """Return what writes records as LOG_FORMAT says."""
    of_kind = JsonLines if settings.log_format == "json" else Lines
    return of_kind(settings.secrets)


def _tell_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("uncaught").critical("nobody caught this", exc_info=(kind, error, traceback))


class Blots:
    """Takes secrets out of a text, and the passwords out of URLs."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self._secrets = sorted(
            {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True
        )

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _IN_URL.sub(r"\1***@", text) if "://" in text else text


class Lines(logging.Formatter):
    """One line for each record, whatever it quotes; a traceback's lines are set in behind a bar."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._blot = Blots(secrets)

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # as another formatter may have written it
        return self._blot(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: _ErrorOrNone) -> str:
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"    | {printable(line)}" for line in lines)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, event, then the record's own fields."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__()
        self._blot = Blots(secrets)

    def format(self, record: logging.LogRecord) -> str:
        event, fields = split_fields(record)
        told = {
            **fields,
            "time": _moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": event,
        }
        if record.exc_info and record.exc_info[0]:
            told["traceback"] = self.formatException(record.exc_info)
        return as_json(told, self._blot)


def as_json(told: Mapping[str, Any], blot: Blots) -> str:
    """Write one line, its order that of every other: what is looked for first stands first."""
    first = [name for name in ("time", "level", "program", "logger", "event") if name in told]
    ordered = {name: told[name] for name in (*first, *(n for n in told if n not in first))}
    plain = {
        name: blot(value) if isinstance(value, str) else value for name, value in ordered.items()
    }
    return json.dumps(plain)


def plain_event(program: str, text: str, blot: Blots) -> str:
    """Write a line of a program that knows nothing of our log as one JSON line."""
    now = datetime.now(UTC).timestamp()
    return as_json({"time": _moment(now), "level": "info", "program": program, "event": text}, blot)


def split_fields(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Return the constant phrase of a record of ours and its fields; of others the whole message."""
    template = record.msg
    arguments = record.args
    if not isinstance(template, str) or not isinstance(arguments, tuple):
        return record.getMessage(), {}
    starts = list(_FIELD.finditer(template))
    if not starts:
        return record.getMessage(), {}
    left = iter(arguments)
    phrase = _fill(template[: starts[0].start()], left)
    ends = [start.start() for start in starts[1:]] + [len(template)]
    fields = {
        start[1]: _value(template[start.end() : end], left)
        for start, end in zip(starts, ends, strict=True)
    }
    return phrase, fields


def _value(template: str, arguments: Iterator[object]) -> object:
    """Return a number as it is, all else as text."""
    if _CONVERSION.fullmatch(template):
        value = next(arguments)
        numeric = isinstance(value, int | float)
        return value if numeric else template % (value,) if template != "%r" else str(value)
    return _fill(template, arguments)


def _fill(template: str, arguments: Iterator[object]) -> str:
    count = len(_CONVERSION.findall(template.replace("%%", "")))
    return template % tuple(next(arguments) for _ in range(count))


def _moment(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")
