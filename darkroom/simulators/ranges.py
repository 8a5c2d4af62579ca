"""Which bytes a `Range` header asks for (RFC 9110, one range)."""

import re
from typing import NamedTuple

SHAPE = re.compile(r"bytes=(\d*)-(\d*)")


class Span(NamedTuple):
    """From the first byte up to, but not including, the last."""

    first: int
    last: int


class UnsatisfiableError(Exception):
    """The range lies beyond the end of the file."""


def span_of(header: str | None, size: int) -> Span | None:
    """The bytes asked for, or None for the whole file: also when the header is not one we can read, as servers do."""
    shape = SHAPE.fullmatch(header.strip()) if header else None
    if not shape or shape[1] == shape[2] == "":
        return None
    if not shape[1]:  # the last so many bytes
        first, last = max(0, size - int(shape[2])), size
    else:
        first, last = int(shape[1]), min(size, int(shape[2]) + 1 if shape[2] else size)
    if shape[1] and shape[2] and int(shape[2]) < int(shape[1]):
        return None
    if first >= last:
        raise UnsatisfiableError
    return Span(first, last)
