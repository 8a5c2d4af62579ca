"""Refuses a key that names another request already, where that can be told without holding anybody up."""

import math
from collections.abc import Mapping
from time import monotonic
from typing import Any

from gateway import problems
from gateway.store import Store
from schemas.events import JobRequested
from stage.database import PASSING, within

PATIENCE = 0.25
"""Seconds for PostgreSQL to answer. Accepting needs Kafka alone."""
REST = 10.0
"""Seconds without a question after it did not."""
SAME = ("model", "prompt", "num_outputs", "seed", "output_format", "input", "metadata", "deadline", "max_attempts")
REMOVED = ("prompt", "input")


class KnownRequests:
    """What the ledger knows of the jobs that keys name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rests_until = 0.0

    async def refuse_another(self, request: JobRequested) -> bool | None:
        """Raise a 422 problem when the ledger knows the job, and knows that it was another request.

        True when it knows the job as this very request, False when it does not know it yet, None when it cannot say in
        time. Neither is a reason to refuse: the first request in the log is the job.
        """
        if monotonic() < self._rests_until:
            return None
        try:
            known = await within(PATIENCE, self._store.request(request.job_id, request.tenant))
        except PASSING:
            self._rests_until = monotonic() + REST
            return None
        if known is not None and not same(request, known):
            raise problems.key_reused(request.job_id)
        return known is not None


def same(request: JobRequested, known: Mapping[str, Any]) -> bool:
    """Whether `known` is what `request` asks for, as far as it was not removed."""
    names = [name for name in SAME if not (known["data_removed_at"] and name in REMOVED)]
    return all(_alike(getattr(request, name), known[name]) for name in names)


def _alike(asked: Any, kept: Any) -> bool:
    """Whether two JSON values are one. PostgreSQL keeps 1e23 digit by digit and gives it back as an int, which is not
    the float nearest to it that we were sent.
    """
    match asked, kept:
        case Mapping(), Mapping():
            return asked.keys() == kept.keys() and all(_alike(asked[name], kept[name]) for name in asked)
        case list(), list():
            return len(asked) == len(kept) and all(map(_alike, asked, kept))
        case (float(), int()) | (int(), float()):
            return _as_float(asked) == _as_float(kept)
        case _:
            return bool(asked == kept)


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # an int of more than 308 digits
        return math.inf
