"""Pure: what a file is, read from its bytes. Names and headers are never trusted."""

import io
import wave
from dataclasses import dataclass

import filetype
from PIL import Image, UnidentifiedImageError

Image.MAX_IMAGE_PIXELS = None  # only headers are read here; nothing is decoded
EXTENSIONS = {"image/jpeg": "jpg", "audio/x-wav": "wav", "audio/mpeg": "mp3", "video/quicktime": "mov"}
TYPES = {"audio/x-wav": "audio/wav"}


class NotMediaError(Exception):
    """These bytes are no picture, sound or video that we know."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What the bytes are: media type, a fitting extension, and measures where they are cheap to read."""

    content_type: str
    extension: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None


def sniff(content: bytes) -> Sniffed:
    """Name what `content` is. Raises `NotMediaError`, also for a picture whose header is broken."""
    kind = filetype.guess(content[:8_192])
    if kind is None or kind.mime.partition("/")[0] not in ("image", "audio", "video"):
        raise NotMediaError("the source is neither picture, sound nor video")
    content_type = TYPES.get(kind.mime, kind.mime)
    extension = EXTENSIONS.get(kind.mime, kind.extension)
    if content_type.startswith("image/"):
        width, height = _dimensions(content)
        return Sniffed(content_type, extension, width, height)
    return Sniffed(content_type, extension, duration_ms=_duration(content) if extension == "wav" else None)


def _dimensions(content: bytes) -> tuple[int | None, int | None]:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return picture.size
    except UnidentifiedImageError:
        return None, None  # a kind that Pillow does not read, such as HEIC
    except (OSError, ValueError, SyntaxError) as broken:
        raise NotMediaError(f"the picture is broken: {broken}") from None


def _duration(content: bytes) -> int | None:
    try:
        with wave.open(io.BytesIO(content)) as sound:
            frames: int = sound.getnframes()
            return frames * 1000 // int(sound.getframerate())
    except (wave.Error, EOFError):
        return None
