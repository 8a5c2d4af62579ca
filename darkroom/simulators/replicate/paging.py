"""Pages of `GET /predictions`: newest first, cursors that stay right while others are created. Pure."""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


class BadCursorError(Exception):
    """A cursor that we did not make."""


@dataclass(frozen=True)
class Page(Generic[Item]):
    """The items of a page and the cursors of its neighbours."""

    items: list[Item]
    next: str | None
    previous: str | None


def page(items: Sequence[tuple[int, Item]], cursor: str | None, size: int) -> Page[Item]:
    """The page at `cursor` (the first without one) of items numbered in the order they were made, oldest first."""
    side, mark = _read(cursor) if cursor else ("o", len(items) and items[-1][0] + 1)
    if side == "o":  # older than the mark
        end = bisect_left(items, mark, key=lambda item: item[0])
        chosen = items[max(0, end - size) : end][::-1]
    else:  # newer than the mark: the ones right before that page
        start = bisect_right(items, mark, key=lambda item: item[0])
        chosen = items[start : start + size][::-1]
    if not chosen:
        return Page([], None, None)
    newest, oldest = chosen[0][0], chosen[-1][0]
    return Page(
        [item for _, item in chosen],
        _write("o", oldest) if items[0][0] < oldest else None,
        _write("n", newest) if items[-1][0] > newest else None,
    )


def _write(side: str, mark: int) -> str:
    return base64.urlsafe_b64encode(f"{side}={mark}".encode()).decode()


def _read(cursor: str) -> tuple[str, int]:
    try:
        side, _, mark = base64.urlsafe_b64decode(cursor).decode().partition("=")
        if side in ("o", "n"):
            return side, int(mark)
    except (ValueError, binascii.Error) as fault:
        raise BadCursorError(cursor) from fault
    raise BadCursorError(cursor)
