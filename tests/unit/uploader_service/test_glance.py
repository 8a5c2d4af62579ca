"""No file, however it is made, has its parser read much of it, or for long."""

import asyncio
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media_files import a_picture
from uploader_service.glance import MOST_BYTES
from uploader_service.landing import Landing
from uploader_service.sniff import Sniffed, sniff

PADDING = 2 * MOST_BYTES


def jpeg(segments: int) -> bytes:
    """A picture with so many pieces of EXIF, which Pillow puts together one by one."""
    picture, piece = a_picture("JPEG"), b"\xff\xe1\xff\xfdExif\0\0" + bytes(65_525)
    return picture[:2] + piece * segments + picture[2:]


def webp(padding: int) -> bytes:
    """A picture with a chunk that nobody knows; Pillow has all of it in memory, twice."""
    body = a_picture("WEBP")[8:] + b"JUNK" + padding.to_bytes(4, "little") + bytes(padding)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def png(padding: int) -> bytes:
    """The same before the picture itself."""
    picture = a_picture("PNG")
    at = picture.index(b"IDAT") - 4
    chunk = b"juNK" + bytes(padding)
    return picture[:at] + padding.to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + picture[at:]


@pytest.fixture
def landing(tmp_path: Path) -> Iterator[Landing]:
    landing = Landing(tmp_path / "output", 1_000)
    yield landing
    asyncio.run(landing.discard())


def sniffed(landing: Landing, content: bytes) -> Sniffed:
    async def land() -> None:
        await landing.write(content)
        await landing.keep()

    asyncio.run(land())
    return sniff(landing)


@pytest.mark.parametrize(
    "content", [jpeg(100), webp(MOST_BYTES // 2), png(MOST_BYTES // 2)], ids=["jpeg", "webp", "png"]
)
def test_a_picture_with_a_lot_around_it_is_measured(content: bytes, landing: Landing) -> None:
    seen = sniffed(landing, content)

    assert (seen.width, seen.height) == (40, 30)


@pytest.mark.parametrize("content", [jpeg(1_600), webp(PADDING), png(PADDING)], ids=["jpeg", "webp", "png"])
def test_a_picture_that_takes_long_to_measure_is_stored_without_its_measures(content: bytes, landing: Landing) -> None:
    began = time.process_time()

    seen = sniffed(landing, content)

    assert (seen.content_type.partition("/")[0], seen.width, seen.height) == ("image", None, None)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "content", [b"\xff\xfb\x90\x00" + bytes(60 << 20), b"fLaC" + b"\x01\0\0\0" * (15 << 20)], ids=["mp3", "flac"]
)
def test_a_sound_whose_length_takes_long_to_find_is_stored_without_it(content: bytes, landing: Landing) -> None:
    began = time.process_time()

    seen = sniffed(landing, content)

    assert (seen.content_type.partition("/")[0], seen.duration_ms) == ("audio", None)
    assert time.process_time() - began < 10
