"""The large video that a bench stores."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bench.pictures import BYTES
from bench.video import write_video
from uploader_service.landing import Landing
from uploader_service.sniff import sniff

INSIDE = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
SIZE = 500_000


def boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Every box with where its content begins and ends, those inside others included."""
    while start < end:
        length, kind = struct.unpack_from(">I4s", content, start)
        assert length >= 8
        assert start + length <= end
        yield kind, start + 8, start + length
        if kind in INSIDE:
            yield from boxes(content, start + 8, start + length)
        start += length


async def test_the_uploader_takes_it_for_a_video(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", SIZE)
    landing = Landing(tmp_path / "output", SIZE)
    await landing.write((tmp_path / "v.mp4").read_bytes())

    seen = sniff(landing)

    assert (seen.content_type, seen.extension) == ("video/mp4", "mp4")


def test_its_boxes_fill_the_file_and_its_table_leads_to_every_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", SIZE)
    content = (tmp_path / "v.mp4").read_bytes()

    found = {kind: content[start:end] for kind, start, end in boxes(content, 0, len(content))}

    size, frames = struct.unpack_from(">2I", found[b"stsz"], 4)
    (begins,) = struct.unpack_from(">I", found[b"stco"], 8)
    assert (size, frames) == (BYTES, SIZE // BYTES)
    assert begins + frames * BYTES == len(content)
    for number in range(frames):
        with Image.open(io.BytesIO(content[begins + number * BYTES :][:BYTES])) as frame:
            assert frame.format == "JPEG"


def test_it_says_how_long_it_is(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", 60 * BYTES)
    content = (tmp_path / "v.mp4").read_bytes()

    found = {kind: content[start:end] for kind, start, end in boxes(content, 0, len(content))}

    for kind in (b"mvhd", b"mdhd"):
        ticks_a_second, ticks = struct.unpack_from(">2I", found[kind], 12)
        assert ticks / ticks_a_second == 2.0


def test_its_size_is_the_wanted_one_within_a_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", SIZE)

    assert abs((tmp_path / "v.mp4").stat().st_size - SIZE) < BYTES
