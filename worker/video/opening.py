"""Open a file as a video, or say why not. Runs in a child process only.

The texts of the errors raised here follow the name of the file, which this side never learns:
"talk.mp4" + " " + "is empty (0 bytes) ...".
"""

import os
from importlib import import_module
from typing import Any

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from models.errors import AppError, BadFile, NoVideo, TooLarge, Unsupported
from worker.video.confinement import LARGEST_PICTURE, allow_pixels
from worker.video.source import BUFFER_BYTES, Source

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,live_flv,asf,ogg,gif,"
    "h264,hevc,m4v,mpegvideo,ivf,mxf,dv"
)
"""FFmpeg's demuxers of real video files: none of them opens another file or an address."""

# PyAV 18 refuses titles that aren't UTF-8 unless told otherwise; 19 takes them and has no such option.
_ANY_METADATA: dict[str, Any] = (
    {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
)

for _late in ("audio.codeccontext", "audio.stream", "subtitles.codeccontext", "subtitles.stream"):
    import_module(f"av.{_late}")  # PyAV would when it meets them; in the sandbox it couldn't

ACCELERATION: tuple[Any, ...] = ("cuda", None, False, None, None, True)
"""HWAccel's arguments: the first GPU; no decoding on the CPU instead; pictures stay on the GPU."""

EXACT_CODECS = ("h264", "hevc", "vp8", "vp9")
"""Decoders of formats in which every bit of a picture is laid down: a GPU gives the same pictures.

AV1 is one, too, but PyAV opens it with dav1d, which knows no GPU.
"""

MOST_STREAMS = 64
RACING_DECODERS = ("theora", "vp3", "vp4")  # now and then other pixels with FFmpeg's frame threads
UPLOAD_VIDEO = "Upload it as MP4, MKV, WebM or MOV."
UPLOAD_AGAIN = "Copy or download it again, check that it plays, and upload the whole file."

_SIGNATURES: tuple[tuple[bytes, type[AppError], str], ...] = (
    (b"#EXTM3U", Unsupported, "is a playlist, not a video. Upload the video files themselves."),
    (b"ffconcat", Unsupported, "is a list of files, not a video. Upload the video files themselves."),
    (b"[playlist]", Unsupported, "is a playlist, not a video. Upload the video files themselves."),
    (b"<?xml", Unsupported, "is an XML document, not a video. Upload the video file itself."),
    (b"<mpd", Unsupported, "is a playlist, not a video. Upload the video files themselves."),
    (b"<!doctype html", BadFile, "holds a web page, not a video: the download of it went wrong. Download the video again and upload that."),
    (b"<html", BadFile, "holds a web page, not a video: the download of it went wrong. Download the video again and upload that."),
    (b"\x89PNG", Unsupported, "is a still picture, not a video."),
    (b"\xff\xd8\xff", Unsupported, "is a still picture, not a video."),
    (b"PK\x03\x04", Unsupported, "is a ZIP archive, not a video. Unpack it and upload the videos in it."),
    (b"%PDF", Unsupported, "is a PDF document, not a video."),
)  # fmt: skip


def open_container(source: Source, *, on_gpu: bool = False) -> InputContainer:
    """Open a plain file with one of the demuxers of real video files.

    `on_gpu`: its pictures are decoded by the GPU, and stay there until they are scaled.
    Raises BadFile or Unsupported.
    """
    head = _read_head(source)
    try:
        container: InputContainer = av.open(
            source.reader(),
            options={"format_whitelist": FORMATS, "protocol_whitelist": "none"},
            buffer_size=BUFFER_BYTES,
            hwaccel=HWAccel(*ACCELERATION) if on_gpu else None,
            **_ANY_METADATA,
        )
    except av.FFmpegError as error:
        raise _refusal(head, error) from None
    except (NotImplementedError, RuntimeError):  # PyAV's words for a codec that the GPU lacks
        if not on_gpu:
            raise
        raise Unsupported("uses a codec that the GPU doesn't decode.") from None
    return container


def choose_stream(container: InputContainer) -> VideoStream:
    """Return the first stream of moving pictures. Raises NoVideo or TooLarge."""
    if len(container.streams) > MOST_STREAMS:
        raise TooLarge(f"has {len(container.streams)} streams; at most {MOST_STREAMS} are read.")
    streams = moving_streams(container)
    if not streams:
        found = "only sound" if container.streams.audio else "no pictures"
        raise NoVideo(f"holds {found}: there is no video in this file to comment.")
    return streams[0]


def moving_streams(container: InputContainer) -> list[VideoStream]:
    """Return the video streams that aren't cover art."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [s for s in container.streams.video if not s.disposition & still]


def prepare(
    container: InputContainer, stream: VideoStream, frame_threads: bool, *, on_gpu: bool = False
) -> None:
    """Make the stream ready to be decoded and leave all others unread.

    Threads that work on several frames at once are quick, but lose good neighbours of a bad one.
    Raises Unsupported if no decoder is here, TooLarge if its pictures are.
    """
    codec = stream.codec_context
    if codec is None:
        raise Unsupported(f"uses a codec that can't be decoded here. {UPLOAD_VIDEO}")
    if codec.width * codec.height > LARGEST_PICTURE:
        megapixels = LARGEST_PICTURE >> 20
        raise TooLarge(
            f"has pictures of {codec.width}×{codec.height} pixels; at most {megapixels} "
            "megapixels are read. Upload a smaller version."
        )
    if on_gpu and (codec.name not in EXACT_CODECS or not codec.is_hwaccel):
        raise Unsupported("uses a codec that the GPU doesn't decode.")
    allow_pixels(codec.width * codec.height)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    races = codec.name in RACING_DECODERS
    codec.thread_type = "AUTO" if frame_threads and not races else "SLICE"
    codec.thread_count = 1 if on_gpu else min(len(os.sched_getaffinity(0)), 4)


def _read_head(source: Source) -> bytes:
    """Return the first bytes of a plain file. Raises BadFile."""
    head = source.head(64)
    if not head:
        raise BadFile(f"is empty (0 bytes): a copy or an upload went wrong. {UPLOAD_AGAIN}")
    return head


def _refusal(head: bytes, error: av.FFmpegError) -> AppError:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for signature, kind, text in _SIGNATURES:
        if start.startswith(signature.lower()):
            return kind(text)
    if b"ftyp" in head[:12]:
        return BadFile(
            "can't be read: its index (the moov part) is missing or damaged, as when a recording, "
            f"copy or upload stops early. {UPLOAD_AGAIN}"
        )
    if isinstance(error, av.InvalidDataError):
        return BadFile(f"can't be read as a video: nothing in it is recognised. {UPLOAD_AGAIN}")
    if isinstance(error, av.ArgumentError):
        return Unsupported(f"is in a format that isn't read here. {UPLOAD_VIDEO}")
    return BadFile(f"can't be opened: {error.strerror}. {UPLOAD_AGAIN}")
