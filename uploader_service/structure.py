"""Pure: whether a file is all there, as far as its own structure tells without decoding it."""

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

STEPS = 100_000
"""Parts of one file that are looked at: nobody makes us walk half a gigabyte in steps of eight bytes."""
PORTION = 1 << 20
UNSAID = (0, 0xFFFFFFFF)
"""What a writer puts for a length that it did not know yet, because nobody could go back and correct it."""
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


class IncompleteError(Exception):
    """The file ends before its own structure does."""


class BrokenError(Exception):
    """The file's structure makes no sense."""


class Box(NamedTuple):
    """A part of an MP4 or of its like: its name, and from where to where its content reaches."""

    kind: bytes
    start: int
    end: int


def check_complete(file: BinaryIO, size: int, content_type: str) -> None:
    """Raise `IncompleteError` or `BrokenError` when something is missing. Kinds that do not tell pass."""
    check = CHECKS.get(content_type)
    if check is not None:
        check(file, size)


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places. Raises `IncompleteError` when one reaches beyond the last."""
    for _ in range(STEPS):
        if start == end:
            return
        head = _exactly(file, start, 8)
        size, kind, body = int.from_bytes(head[:4]), head[4:], start + 8
        if size == 1:
            size, body = int.from_bytes(_exactly(file, body, 8)), body + 8
        elif size == 0:
            size = end - start
        if size < body - start:
            raise BrokenError("a box is smaller than its own head")
        if start + size > end:
            raise IncompleteError(f"a box ends {start + size - end} bytes later than the file")
        yield Box(kind, body, start + size)
        start += size
    raise BrokenError("it has no end of boxes")


def riff_chunks(file: BinaryIO, size: int) -> Iterator[Box]:
    """The chunks of a RIFF file; one whose length the writer did not know reaches to the end."""
    start = 12
    for _ in range(STEPS):
        if start + 8 > size:
            return
        head = _exactly(file, start, 8)
        length = int.from_bytes(head[4:], "little")
        to_the_end = head[:4] == b"data" and length in UNSAID
        end = size if to_the_end else start + 8 + length
        if end > size:
            raise IncompleteError(f"a chunk ends {end - size} bytes later than the file")
        yield Box(head[:4], start + 8, end)
        start = end + length % 2
    raise BrokenError("it has no end of chunks")


def _jpeg(file: BinaryIO, _: int) -> None:
    """Segments up to the first scan; an end mark somewhere after it, since no scan may hold one."""
    at = 2
    for _step in range(STEPS):
        mark, kind, length = struct.unpack(">BBH", _exactly(file, at, 4))
        if mark != 0xFF:
            raise BrokenError("no mark where a segment should begin")
        if kind == 0xFF:  # padding
            at += 1
            continue
        at += 2 + max(2, length)
        if kind == 0xDA:
            break
    else:
        raise BrokenError("it has no end of segments")
    file.seek(at)
    last = b""
    while portion := file.read(PORTION):
        if b"\xff\xd9" in last + portion:
            return
        last = portion[-1:]
    raise IncompleteError("the picture's end mark is missing")


def _png(file: BinaryIO, _: int) -> None:
    at = 8
    for _step in range(STEPS):
        head = _exactly(file, at, 8)
        at += 12 + int.from_bytes(head[:4])
        _exactly(file, at - 4, 4)  # the sum that ends the chunk
        if head[4:] == b"IEND":
            return
    raise BrokenError("it has no end of chunks")


def _gif(file: BinaryIO, size: int) -> None:
    start = max(0, size - 64)
    if not _exactly(file, start, size - start).rstrip(b"\0").endswith(b";"):
        raise IncompleteError("the picture's end mark is missing")


def _webp(file: BinaryIO, size: int) -> None:
    said = 8 + int.from_bytes(_exactly(file, 4, 4), "little")
    if size + said % 2 < said:  # some leave the last padding out
        raise IncompleteError(f"it says that it has {said} bytes")


def _bmp(file: BinaryIO, size: int) -> None:
    said = int.from_bytes(_exactly(file, 2, 4), "little")
    if size < said:
        raise IncompleteError(f"it says that it has {said} bytes")


def _wave(file: BinaryIO, size: int) -> None:
    if b"data" not in [chunk.kind for chunk in riff_chunks(file, size)]:
        raise IncompleteError("the sound itself is missing")


def _avi(file: BinaryIO, size: int) -> None:
    said = int.from_bytes(_exactly(file, 4, 4), "little")
    if said not in UNSAID and size < 8 + said:
        raise IncompleteError(f"it says that it has {8 + said} bytes at least")


def _aiff(file: BinaryIO, size: int) -> None:
    said = 8 + int.from_bytes(_exactly(file, 4, 4))
    if size < said:
        raise IncompleteError(f"it says that it has {said} bytes")


def _boxed_picture(file: BinaryIO, size: int) -> None:
    if b"meta" not in [box.kind for box in boxes(file, 0, size)]:
        raise IncompleteError("the picture's description is missing")


def _film(file: BinaryIO, size: int) -> None:
    if b"moov" not in [box.kind for box in boxes(file, 0, size)]:
        raise IncompleteError("the film's description is missing")


def _matroska(file: BinaryIO, size: int) -> None:
    """The one segment behind the head says how long it is, unless it was written to a stream."""
    _, head_end = _element(file, 0, EBML)
    if head_end is None:
        raise BrokenError("its head has no end")
    _, end = _element(file, head_end, SEGMENT)
    if end is not None and end > size:
        raise IncompleteError(f"its segment ends {end - size} bytes later than the file")


def _element(file: BinaryIO, at: int, name: bytes) -> tuple[int, int | None]:
    """Where an element's content begins and ends; None when its writer did not know."""
    head = _exactly(file, at, 5)
    if head[:4] != name or head[4] == 0:
        raise BrokenError("another element is where this one should be")
    width = 9 - head[4].bit_length()
    longest = (1 << 7 * width) - 1
    length, start = int.from_bytes(_exactly(file, at + 4, width)) & longest, at + 4 + width
    return start, None if length == longest else start + length


def _exactly(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    found = file.read(count)
    if len(found) < count:
        raise IncompleteError("it ends in the middle of a part")
    return found


FILM = ("video/mp4", "video/quicktime", "video/x-m4v", "video/3gpp", "audio/mp4")
CHECKS: dict[str, Callable[[BinaryIO, int], None]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/apng": _png,
    "image/gif": _gif,
    "image/webp": _webp,
    "image/bmp": _bmp,
    "image/avif": _boxed_picture,
    "image/heic": _boxed_picture,
    "audio/wav": _wave,
    "audio/x-aiff": _aiff,
    "video/x-msvideo": _avi,
    "video/webm": _matroska,
    "video/x-matroska": _matroska,
    **dict.fromkeys(FILM, _film),
}
