"""Refuses a key that names another request already, where that can be told without holding anybody up."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any

from gateway import problems
from gateway.store import Store
from schemas.events import JobRequested
from stage.database import PASSING

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

    async def refuse_another(self, request: JobRequested) -> None:
        """Raise a 422 problem when the ledger knows the job, and knows that it was another request.

        What it does not know yet, or cannot say in time, is accepted: the first request in the log is the job.
        """
        if monotonic() < self._rests_until:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                known = await self._store.request(request.job_id, request.tenant)
        except PASSING:
            self._rests_until = monotonic() + REST
            return
        if known is not None and not same(request, known):
            raise problems.key_reused(request.job_id)


def same(request: JobRequested, known: Mapping[str, Any]) -> bool:
    """Whether `known` is what `request` asks for, as far as it was not removed."""
    names = [name for name in SAME if not (known["data_removed_at"] and name in REMOVED)]
    return all(getattr(request, name) == known[name] for name in names)
