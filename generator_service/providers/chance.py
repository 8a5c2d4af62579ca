"""Numbers that look like luck and never change."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

Item = TypeVar("Item")


class Chance:
    """A stream of numbers drawn from SHA-256 of what it is told: the same words, the same stream, everywhere."""

    def __init__(self, *words: str | int) -> None:
        key = sha256()
        for word in words:
            told = str(word).encode("utf-8", "surrogatepass")
            key.update(struct.pack(">Q", len(told)) + told)  # with its length, so that ("ab", "c") is not ("a", "bc")
        self._key = key.digest()
        self._drawn = 0
        self._left: list[float] = []

    def unit(self) -> float:
        """The next number, from 0 up to but not including 1."""
        if not self._left:
            block = sha256(self._key + struct.pack(">Q", self._drawn)).digest()
            self._left = [number / 2**32 for number in struct.unpack(">8I", block)]
            self._drawn += 1
        return self._left.pop()

    def between(self, low: float, high: float) -> float:
        """The next number, from `low` to `high`."""
        return low + (high - low) * self.unit()

    def whole(self, low: int, high: int) -> int:
        """The next whole number, `low` and `high` included."""
        return low + int(self.unit() * (high - low + 1))

    def often(self, share: float) -> bool:
        """True for about this share of the draws."""
        return self.unit() < share

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.whole(0, len(items) - 1)]
