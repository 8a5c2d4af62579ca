"""Keeps one tenant from filling the queue: a look at how many of its jobs wait, before one more is accepted."""

import asyncio
import math
import time
from collections.abc import Callable
from uuid import UUID

from gateway.callers import Caller
from gateway.limit_store import NO_ANSWER, PATIENCE, LimitStore
from gateway.problems import queue_full
from stage.telemetry import get_logger

log = get_logger(__name__)

FRESH = 1.0  # seconds for which a count lets jobs in; those that this replica accepts meanwhile are added to it
FRESH_ENOUGH_TO_REFUSE = 0.25  # seconds: jobs end all the time, so nobody is refused by an old count


class Line:
    """What a replica knows of one tenant's queue."""

    def __init__(self) -> None:
        self.counted = 0.0
        self.accepted = 0
        """Since it was counted."""
        self.counted_at = -math.inf
        self.counting: asyncio.Task[None] | None = None

    def full(self, most: int) -> bool:
        """Whether the tenant has `most` jobs that are not over, as far as is known."""
        return self.counted + self.accepted >= most


class QueueLimit:
    """Refuses jobs of tenants who have too many that are not over.

    It is advice, not a promise: what the ledger has not heard yet and what other replicas accept in the same second
    comes in on top. When the ledger or PostgreSQL is away everything is let in.
    """

    def __init__(self, store: LimitStore, most: int, now: Callable[[], float] = time.monotonic) -> None:
        """`most` jobs of each tenant that has no limit of its own. 0: any number."""
        self._store, self._most, self._now = store, most, now
        self._lines: dict[str, Line] = {}

    async def admit(self, caller: Caller, repeated: UUID | None) -> None:
        """Let in one job more, or raise a `queue-full` problem. A job that its caller named (`repeated`) is let in
        when the ledger knows it: to repeat an accepted request is no new job.
        """
        most = caller.limits.jobs_queued or self._most
        if not most:
            return
        line = self._lines.setdefault(caller.tenant, Line())
        age, unknown = self._now() - line.counted_at, False
        if age == math.inf or (line.full(most) and age > FRESH_ENOUGH_TO_REFUSE):
            counting = self._counting(caller.tenant, line, most)
            await asyncio.wait([counting], timeout=PATIENCE)
            unknown = not counting.done()
        elif age > FRESH:
            _ = self._counting(caller.tenant, line, most)  # nobody waits for it
        if line.full(most) and not unknown and not (repeated and await self._knows(repeated, caller.tenant)):
            raise queue_full(most)
        line.accepted += 1

    def _counting(self, tenant: str, line: Line, most: int) -> "asyncio.Task[None]":
        if line.counting is None or line.counting.done():
            line.counting = asyncio.create_task(self._count(tenant, line, most))
        return line.counting

    async def _count(self, tenant: str, line: Line, most: int) -> None:
        accepted = line.accepted
        try:
            line.counted = await self._store.waiting(tenant, most)
        except NO_ANSWER as fault:
            log.warning("waiting jobs cannot be counted: none is refused", fault=type(fault).__name__)
            line.counted = -math.inf  # whatever comes meanwhile
        line.accepted -= accepted
        line.counted_at = self._now()

    async def _knows(self, job_id: UUID, tenant: str) -> bool:
        try:
            return await self._store.knows(job_id, tenant)
        except NO_ANSWER:
            return True  # as with a count that fails
