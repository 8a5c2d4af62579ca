"""Pure: which records of a batch may be worked on side by side, in transactions of their own."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

LEAST = 500
"""Records of a lane. A transaction costs some ten round trips, whatever it holds."""


class Numbered(Protocol):
    """Anything that has a partition number."""

    @property
    def partition(self) -> int: ...


R = TypeVar("R", bound=Numbered)


def in_lanes(records: Iterable[R], most: int) -> list[list[R]]:
    """The records in at most `most` lanes of about the same length, each in its order; in one when they are few.

    A partition number is never divided: all facts of a job share it.
    """
    numbers: dict[int, list[R]] = {}
    for record in records:
        numbers.setdefault(record.partition, []).append(record)
    longest_first = sorted(numbers.values(), key=len, reverse=True)
    total = sum(map(len, longest_first))
    lanes: list[list[R]] = [[] for _ in range(max(1, min(most, len(numbers), total // LEAST)))]
    for some in longest_first:
        min(lanes, key=len).extend(some)
    return lanes
