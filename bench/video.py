"""A video of any size: a whole MP4 container of one track, its frames JPEG pictures."""

import struct
from collections.abc import Iterator
from pathlib import Path

from bench.pictures import BYTES, picture

_FRAMES_A_SECOND = 30
_SIDE = 250
_PICTURES = 50  # drawn; then they come again
_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_JPEG = 0x6C  # as MPEG-4 names what a track is coded in


def write_video(path: Path, size: int) -> None:
    """Write about `size` bytes of video to `path`: whole frames, so up to one frame less."""
    frames = size // BYTES
    with path.open("wb") as file:
        file.write(_head(frames))
        drawn = [picture(number) for number in range(min(_PICTURES, frames))]
        for number in range(frames):
            file.write(drawn[number % len(drawn)])


def _head(frames: int) -> bytes:
    """Everything before the frames. Where those begin stands in it, so it is made twice."""
    kind = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isom", b"iso2", b"mp41")
    begins = len(kind) + len(_movie(frames, 0)) + 8
    return kind + _movie(frames, begins) + struct.pack(">I", 8 + frames * BYTES) + b"mdat"


def _movie(frames: int, begins: int) -> bytes:
    times = struct.pack(">4I", 0, 0, _FRAMES_A_SECOND, frames)  # made, changed, ticks a second, ticks in all
    header = _full(b"mvhd", 0, times, struct.pack(">IH10x", 0x10000, 0x100), _UNITY, bytes(24), struct.pack(">I", 2))
    side = struct.pack(">2I", _SIDE << 16, _SIDE << 16)
    track_header = _full(b"tkhd", 3, struct.pack(">5I", 0, 0, 1, 0, frames), bytes(16), _UNITY, side)
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, times, struct.pack(">2H", 0x55C4, 0)),
        _full(b"hdlr", 0, bytes(4), b"vide", bytes(12), b"frames\0"),
        _box(
            b"minf",
            _full(b"vmhd", 1, bytes(8)),
            _box(b"dinf", _full(b"dref", 0, struct.pack(">I", 1), _full(b"url ", 1))),
            _box(b"stbl", *_tables(frames, begins)),
        ),
    )
    return _box(b"moov", header, _box(b"trak", track_header, media))


def _tables(frames: int, begins: int) -> Iterator[bytes]:
    """How the frames are coded, how long each is shown, how large each is, and where they lie: in one chunk."""
    decoder = _descriptor(4, struct.pack(">BB3xII", _JPEG, 0x11, 0, 0))
    stream = _descriptor(3, struct.pack(">HB", 1, 0), decoder, _descriptor(6, b"\x02"))
    entry = _box(
        b"mp4v", bytes(6), struct.pack(">H16x2H2I4xH", 1, _SIDE, _SIDE, 0x480000, 0x480000, 1), bytes(32),
        struct.pack(">Hh", 24, -1), _full(b"esds", 0, stream),
    )  # fmt: skip
    yield _full(b"stsd", 0, struct.pack(">I", 1), entry)
    yield _full(b"stts", 0, struct.pack(">3I", 1, frames, 1))
    yield _full(b"stsc", 0, struct.pack(">4I", 1, 1, frames, 1))
    yield _full(b"stsz", 0, struct.pack(">2I", BYTES, frames))
    yield _full(b"stco", 0, struct.pack(">2I", 1, begins))


def _box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, flags: int, *content: bytes) -> bytes:
    """A box that says its version, 0, and flags."""
    return _box(kind, struct.pack(">I", flags), *content)


def _descriptor(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">BB", tag, len(body)) + body
