"""What a simulator was asked to make, and what it would have charged: the one place where paying twice shows."""

import json
from collections import Counter
from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict


class BillEntry(BaseModel):
    """One create that arrived, accepted or not."""

    model_config = ConfigDict(frozen=True)

    number: int
    at: datetime
    call: str
    model: str | None
    input_sha256: str
    input: dict[str, Any]
    webhook: str | None
    prediction: str | None  # None: nothing was accepted
    charged: bool
    seconds: float  # of running, so far
    answered: int | None  # the status sent; None when no whole answer left us
    client_disconnected: bool  # the client had left before the answer
    faults: tuple[str, ...]


class Bill(BaseModel):
    """Every create, and the sums."""

    model_config = ConfigDict(frozen=True)

    creates: int
    accepted: int
    charged: int
    seconds: float
    disconnected: int
    entries: tuple[BillEntry, ...]

    @classmethod
    def of(cls, entries: list[BillEntry]) -> "Bill":
        """The bill over these entries."""
        return cls(
            creates=len(entries),
            accepted=sum(entry.prediction is not None for entry in entries),
            charged=sum(entry.charged for entry in entries),
            seconds=round(sum(entry.seconds for entry in entries), 6),
            disconnected=sum(entry.client_disconnected for entry in entries),
            entries=tuple(entries),
        )

    def twice(self) -> list[str]:
        """The inputs' digests that were charged more than once."""
        charges = Counter(entry.input_sha256 for entry in self.entries if entry.charged)
        return sorted(name for name, count in charges.items() if count > 1)


def digest(model: str | None, given: Any) -> str:
    """Names a model and an input, whatever the order of its fields."""
    canonical = json.dumps([model, given], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(canonical.encode()).hexdigest()
