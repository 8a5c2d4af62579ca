"""Pure: what a file is, read from its bytes. Names and headers are never trusted."""

import io
import wave
from dataclasses import dataclass

import filetype
from PIL import Image, UnidentifiedImageError

Image.MAX_IMAGE_PIXELS = None  # only headers are read here; nothing is decoded
EXTENSIONS = {"image/jpeg": "jpg", "audio/x-wav": "wav", "audio/mpeg": "mp3", "video/quicktime": "mov"}
TYPES = {"audio/x-wav": "audio/wav"}
READ = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"}
"""Pictures that Pillow reads when they are whole."""
LARGEST = 2**31 - 1
"""What a fact may say of a side or a length."""


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
        width, height = _dimensions(content, content_type)
        return Sniffed(content_type, extension, width, height)
    return Sniffed(content_type, extension, duration_ms=_duration(content) if extension == "wav" else None)


def _dimensions(content: bytes, content_type: str) -> tuple[int | None, int | None]:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
    except UnidentifiedImageError:
        if content_type in READ:
            raise NotMediaError("the picture is broken: nothing fits its first bytes") from None
        return None, None  # a kind that Pillow does not read, such as HEIC
    except Exception as broken:  # noqa: BLE001 - whatever a parser meets in foreign bytes is the file's fault
        raise NotMediaError(f"the picture is broken: {type(broken).__name__}") from None
    if max(width, height) > LARGEST:
        raise NotMediaError("the picture is broken: a side is longer than any picture's")
    return width, height


def _duration(content: bytes) -> int | None:
    try:
        with wave.open(io.BytesIO(content)) as sound:
            milliseconds = sound.getnframes() * 1000 // sound.getframerate()
            return milliseconds if milliseconds <= LARGEST else None
    except Exception:  # noqa: BLE001 - a header may say anything; a sound without a length is a sound still
        return None
