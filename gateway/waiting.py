"""Holds callers who wait for a job to go on: however many they are, one question a moment for all of them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from gateway.metrics import WAITING
from schemas.jobs import Job, Status
from stage.database import PASSING, within
from stage.telemetry import get_logger

log = get_logger(__name__)

MOST = 10_000
"""Callers at a time. One more is answered at once."""
MOST_OF_ONE = MOST // 4
"""Callers of one tenant at a time, so that there is a place for the others."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
QUESTION_SECONDS = 5.0
PAUSE_PER_QUESTION = 5
"""The pause is so many times as long as the question took: watching takes a sixth of one connection at most."""


class Marker(NamedTuple):
    """By what a change of a job shows, without reading the job."""

    status: Status
    revision: int
    updated_at: datetime

    @classmethod
    def of(cls, job: Job) -> "Marker":
        """The marker of a job as somebody has read it."""
        return cls(job.status, job.revision, job.updated_at)


class Markers(Protocol):
    """Where the markers of many jobs are read at once; jobs that the ledger does not know yet are left out."""

    async def markers(self, job_ids: Iterable[UUID]) -> dict[UUID, Marker]: ...


@dataclass(eq=False, slots=True)
class _Waiter:
    seen: Marker
    done_in: int | None
    end: "asyncio.Future[None]"

    def has_waited_for(self, now: Marker) -> bool:
        if self.done_in is None:
            return now != self.seen
        return now.status.terminal and now.revision >= self.done_in

    def let_go(self) -> None:
        if not self.end.done():
            self.end.set_result(None)


class Watcher:
    """Watches the jobs that somebody waits for. `run` must run; once it stops, nobody waits any more."""

    def __init__(self, markers: Markers) -> None:
        self._markers = markers
        self._waiting: dict[UUID, set[_Waiter]] = {}
        self._count: Counter[str] = Counter()
        """How many wait, by tenant."""
        self._wake = asyncio.Event()
        self._known: dict[UUID, Marker | None] = {}
        self._open = False

    async def wait(
        self, job_id: UUID, seen: Marker, seconds: float, gone: Callable[[], Coroutine[Any, Any, None]], *,
        tenant: str, done_in: int | None,
    ) -> bool:  # fmt: skip
        """Return when revision `done_in` of the job, or a later one, is over; with None when the job is not as it was
        `seen`; and after `seconds`.

        True when it is worth reading again. At once when too many wait already, of all tenants or of this one, when
        the service stops, and when `gone` returns: the caller does not wait any more.
        """
        if self._is_full(tenant):
            return False
        waiter = _Waiter(seen, done_in, asyncio.get_running_loop().create_future())
        leaving = asyncio.create_task(gone())
        self._add(job_id, waiter, tenant)
        try:
            await asyncio.wait((waiter.end, leaving), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return self._open or self._may_have_changed(job_id, waiter)
        finally:
            leaving.cancel()
            self._remove(job_id, waiter, tenant)

    async def run(self, stopping: asyncio.Event) -> None:
        """Watch until `stopping`, and let everybody go then."""
        stop = asyncio.create_task(stopping.wait())
        self._open = True
        try:
            while not stopping.is_set():
                turn = asyncio.create_task(self._turn())
                await asyncio.wait((stop, turn), return_when=asyncio.FIRST_COMPLETED)
                if turn.done():
                    turn.result()
                turn.cancel()
        finally:
            stop.cancel()
            self._open = False
            for waiters in self._waiting.values():
                for waiter in waiters:
                    waiter.let_go()

    async def _turn(self) -> None:
        if self._waiting:
            await asyncio.sleep(await self._look())
        else:
            await self._wake.wait()

    async def _look(self) -> float:
        """Ask once for every job, let go whoever has waited for what there is, and say how long to pause."""
        began, asked = monotonic(), list(self._waiting)
        try:
            found = await within(QUESTION_SECONDS, self._markers.markers(asked))
        except PASSING as fault:
            log.warning("the jobs that are waited for cannot be read", fault=type(fault).__name__)
            self._known.clear()
            return LONGEST_PAUSE
        for job_id in asked:
            now = found.get(job_id)
            if job_id in self._waiting:
                self._known[job_id] = now
            for waiter in self._waiting.get(job_id, ()):
                if now is not None and waiter.has_waited_for(now):
                    waiter.let_go()
        return min(max(SHORTEST_PAUSE, PAUSE_PER_QUESTION * (monotonic() - began)), LONGEST_PAUSE)

    def _is_full(self, tenant: str) -> bool:
        return not self._open or self._count.total() >= MOST or self._count[tenant] >= MOST_OF_ONE

    def _may_have_changed(self, job_id: UUID, waiter: _Waiter) -> bool:
        """Whether the job is another one than was read before, by what was heard last; unknown counts as yes."""
        return job_id not in self._known or self._known[job_id] not in (None, waiter.seen)

    def _add(self, job_id: UUID, waiter: _Waiter, tenant: str) -> None:
        self._waiting.setdefault(job_id, set()).add(waiter)
        self._count[tenant] += 1
        WAITING.inc()
        self._wake.set()

    def _remove(self, job_id: UUID, waiter: _Waiter, tenant: str) -> None:
        waiters = self._waiting[job_id]
        waiters.discard(waiter)
        self._count[tenant] -= 1
        if not self._count[tenant]:
            del self._count[tenant]
        WAITING.dec()
        if not waiters:
            del self._waiting[job_id]
            self._known.pop(job_id, None)
        if not self._waiting:
            self._wake.clear()
