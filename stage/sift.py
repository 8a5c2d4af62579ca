"""Pure: which records of a batch are new, judged by the offsets that the database holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

Partition = tuple[str, int]


class Placed(Protocol):
    """Anything that has a place in the log."""

    topic: str
    partition: int
    offset: int


R = TypeVar("R", bound=Placed)


@dataclass(slots=True)
class Sifted(Generic[R]):
    """What a batch holds: records whose effects are missing, how far they lead, and partitions that jumped."""

    fresh: list[R] = field(default_factory=list)
    next: dict[Partition, int] = field(default_factory=dict)
    jumped: dict[Partition, int] = field(default_factory=dict)


def sift(records: Iterable[R], following: Mapping[Partition, int], holes: Mapping[Partition, int]) -> Sifted[R]:
    """Drop what was read before; refuse what leaves a gap.

    `following` is the first offset of each partition whose effects are missing. A record above it means that
    some were skipped: its partition is left out and named in `jumped` with the offset to go back to, unless
    `holes` says that the log was asked for exactly that offset and has nothing there (control records).
    """
    sifted: Sifted[R] = Sifted()
    for record in records:
        place = (record.topic, record.partition)
        if place in sifted.jumped:
            continue
        expected = sifted.next.get(place, following[place])
        if record.offset < expected:
            continue
        if record.offset > expected and place not in sifted.next and holes.get(place) != expected:
            sifted.jumped[place] = expected
            continue
        sifted.fresh.append(record)
        sifted.next[place] = record.offset + 1
    return sifted
