"""The tables of limits in memory, shared by as many replicas as there are."""

import time
from collections.abc import Callable
from uuid import UUID

from gateway.limit_store import LimitStore
from gateway.meter import Bucket, Lease


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


class Buckets(LimitStore):
    """Buckets, and how many jobs wait. Does not answer while it has a fault."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, *, waiting: int = 0, known: UUID | None = None
    ) -> None:
        self._now, self.jobs_waiting, self._known = now, waiting, known
        self.buckets: dict[str, Bucket] = {}
        self.fault: Exception | None = None
        self.asked: list[tuple[str, int]] = []
        self.counts = 0

    def _look(self) -> None:
        if self.fault:
            raise self.fault

    async def lease(self, name: str, per_minute: int, wanted: int) -> Lease:
        self.asked.append((name, wanted))
        self._look()
        bucket = self.buckets.setdefault(name, Bucket(per_minute, per_minute, self._now()))
        bucket.per_minute = per_minute
        return Lease(bucket.take(wanted, self._now()), bucket.tokens)

    async def give_back(self, name: str, per_minute: int, tokens: int) -> None:
        self._look()
        self.buckets[name].put(tokens, self._now())

    async def waiting(self, tenant: str, most: int) -> int:
        self.counts += 1
        self._look()
        return min(self.jobs_waiting, most)

    async def knows(self, job_id: UUID, tenant: str) -> bool:
        self._look()
        return job_id == self._known
