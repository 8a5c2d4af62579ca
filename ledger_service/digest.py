"""Pure: what two sets of tables add up to, and whether it is the same."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sums:
    """What the rows of a table add up to, in any order: how many, and the sums of two hashes of each row's text."""

    rows: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How many rows of a table are missing on one side or hold other values, and a few of their jobs."""

    rows: int
    jobs: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The live tables beside the rebuilt ones. `differences` names the tables that differ."""

    live: Mapping[str, Sums]
    rebuilt: Mapping[str, Sums]
    differences: Mapping[str, Difference]

    @property
    def equal(self) -> bool:
        """Whether every table holds the same rows, byte for byte."""
        return self.digests[0] == self.digests[1]

    @property
    def digests(self) -> tuple[str, str]:
        """One for the live tables, one for the rebuilt."""
        return digest_of(self.live), digest_of(self.rebuilt)


def digest_of(tables: Mapping[str, Sums]) -> str:
    """What all these tables hold, in 64 characters."""
    lines = [f"{name} {sums.rows} {sums.first} {sums.second}" for name, sums in sorted(tables.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
