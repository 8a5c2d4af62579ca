"""Pure: what a file is, read from its bytes: names and headers are never trusted. And whether that was asked for."""

import math
from dataclasses import dataclass
from typing import BinaryIO

import filetype
from PIL import Image, UnidentifiedImageError
from tinytag import TinyTag

from uploader_service.decide import NotStored
from uploader_service.glance import SeenEnoughError, glance
from uploader_service.landing import Landing
from uploader_service.structure import FILM, BrokenError, IncompleteError, boxes, check_complete, riff_chunks

Image.MAX_IMAGE_PIXELS = None  # only headers are read here; nothing is decoded
EXTENSIONS = {"image/jpeg": "jpg", "audio/x-wav": "wav", "audio/mpeg": "mp3", "video/quicktime": "mov"}
TYPES = {"audio/x-wav": "audio/wav"}
READ = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"}
"""Pictures that Pillow reads when they are whole."""
TIMED = {"audio/mpeg", "audio/ogg", "audio/x-flac", "audio/x-aiff", *FILM}
"""What tinytag knows the length of. A raw AAC's it guesses from a few frames, and a streamed WAV's from nothing."""
PICTURES = {"jpg", "jpeg", "png", "webp", "avif", "heic", "bmp", "tif", "tiff"}
SOUNDS = {"wav", "mp3", "flac", "ogg", "opus", "m4a", "aac", "aiff"}
FILMS = {"mp4", "webm", "mov", "mkv", "avi", "gif"}
MOVING = {"image/gif", "image/webp", "image/apng", "image/png", "image/avif"}
"""Pictures that may move."""
LARGEST = 2**31 - 1
"""What a fact may say of a side or a length."""


class NotMediaError(Exception):
    """These bytes are no whole picture, sound or video that we know; carries the outcome that it becomes."""

    def __init__(self, message: str, *, code: str = "output_unreadable", passing: bool = False) -> None:
        super().__init__(message)
        self.outcome = NotStored(code, message, passing)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What the bytes are: media type, a fitting extension, and measures where they are cheap to read."""

    content_type: str
    extension: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None


def sniff(landing: Landing) -> Sniffed:
    """Name what has landed. Raises `NotMediaError` for what is none, is broken, or ends too early.

    Reads little of it, but seeks: a large file belongs in a thread.
    """
    with landing.open() as file:
        kind = filetype.guess(file.read(8_192))
        if kind is None or kind.mime.partition("/")[0] not in ("image", "audio", "video"):
            raise NotMediaError("the source is neither picture, sound nor video", code="output_unexpected")
        content_type = TYPES.get(kind.mime, kind.mime)
        extension = EXTENSIONS.get(kind.mime, kind.extension)
        try:
            check_complete(file, landing.size, content_type)
            width, height = _sides(file, landing.size, content_type)
        except IncompleteError as short:
            # A body whose length nobody said may have been cut on its way: the next one may be whole.
            raise NotMediaError(f"the {extension} is cut off: {short}", passing=not landing.vouched) from None
        except BrokenError as broken:
            raise NotMediaError(f"the {extension} is broken: {broken}") from None
        return Sniffed(content_type, extension, width, height, _duration(file, landing.size, content_type))


def unexpected(output_format: str | None, seen: Sniffed) -> NotMediaError | None:
    """What is wrong with this where `output_format` was asked for: nothing, when it is of that kind.

    Many models answer in a format of their own. What they made is paid for, so only another kind is refused. Sounds
    may come in a container that films share.
    """
    asked, kind = (output_format or "").lower(), seen.content_type.partition("/")[0]
    if (
        (asked in PICTURES and kind != "image")
        or (asked in SOUNDS and kind == "image")
        or (asked in FILMS and kind != "video" and seen.content_type not in MOVING)
    ):
        return NotMediaError(f"asked for {asked}, the model made {seen.content_type}", code="output_unexpected")
    return None


def _sides(file: BinaryIO, size: int, content_type: str) -> tuple[int | None, int | None]:
    if content_type in FILM:
        return _frame(file, size)
    if not content_type.startswith("image/"):
        return None, None
    file.seek(0)
    try:
        with Image.open(glance(file)) as picture:
            width, height = picture.size
    except SeenEnoughError:
        return None, None
    except UnidentifiedImageError:
        if content_type in READ:
            raise BrokenError("nothing fits its first bytes") from None
        return None, None  # a kind that Pillow does not read, such as HEIC
    except Exception as broken:  # noqa: BLE001 - whatever a parser meets in foreign bytes is the file's fault
        raise BrokenError(type(broken).__name__) from None
    if max(width, height) > LARGEST:
        raise BrokenError("a side is longer than any picture's")
    return width, height


def _frame(file: BinaryIO, size: int) -> tuple[int | None, int | None]:
    """The first track that has sides: a film's, among its sounds."""
    for film in (box for box in boxes(file, 0, size) if box.kind == b"moov"):
        for track in (box for box in boxes(file, film.start, film.end) if box.kind == b"trak"):
            for head in (box for box in boxes(file, track.start, track.end) if box.kind == b"tkhd"):
                file.seek(max(head.start, head.end - 8))
                width, height = int.from_bytes(file.read(4)) >> 16, int.from_bytes(file.read(4)) >> 16
                if width and height:
                    return width, height
    return None, None


def _duration(file: BinaryIO, size: int, content_type: str) -> int | None:
    """Milliseconds, or None: a sound without a length is a sound still."""
    try:
        seconds = _wave_seconds(file, size) if content_type == "audio/wav" else _tagged_seconds(file, content_type)
    except Exception:  # noqa: BLE001 - a header may say anything
        return None
    if seconds is None or not math.isfinite(seconds) or not 0 < seconds * 1000 <= LARGEST:
        return None
    return round(seconds * 1000)


def _tagged_seconds(file: BinaryIO, content_type: str) -> float | None:
    if content_type not in TIMED:
        return None
    file.seek(0)
    return TinyTag.get(file_obj=glance(file), tags=False).duration


def _wave_seconds(file: BinaryIO, size: int) -> float:
    chunks = {chunk.kind: chunk for chunk in riff_chunks(file, size)}
    file.seek(chunks[b"fmt "].start + 8)
    return (chunks[b"data"].end - chunks[b"data"].start) / int.from_bytes(file.read(4), "little")
