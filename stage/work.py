"""Work rows: claim in batches, work each in its own task, record the results in batches."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from stage.database import PASSING
from stage.telemetry import get_logger
from stage.wake import Wake

log = get_logger(__name__)

Claim = TypeVar("Claim")
Result = TypeVar("Result")

SLOTS = 64
CLAIM_AT_LEAST = 16  # after saturation each freed slot would claim one row: 16 gave 243 outputs/s, 1 gave 191
POLL_SECONDS = 0.5
STOP_SECONDS = 5.0
LAST_RECORD_SECONDS = 2.0  # with STOP_SECONDS below the 8 s that a service has to stop


@dataclass(frozen=True, slots=True)
class Beats(Generic[Claim, Result]):
    """The beats of a kind of work. `claim` takes up to n due rows, durably; `work` asks the outside world and
    returns what came of it, faults included; `record` writes results and facts in one transaction, leaving out
    what another worker has taken over.
    """

    name: str
    claim: Callable[[int], Awaitable[Sequence[Claim]]]
    work: Callable[[Claim], Awaitable[Result]]
    record: Callable[[Sequence[Result]], Awaitable[None]]
    recorded: Callable[[], None]


class Workers(Generic[Claim, Result]):
    """Keeps up to `slots` claims in work. An exception that waiting cannot cure, out of any beat, ends `run`."""

    def __init__(self, beats: Beats[Claim, Result], slots: int = SLOTS) -> None:
        self._beats, self._slots = beats, slots
        self.wake = Wake()
        self._done = Wake()
        self._recordable = Wake()
        self._results: list[Result] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._bug: Exception | None = None
        self._over = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping`; what is in work then may finish and is recorded, for `STOP_SECONDS` at most.

        A bug ends it the same way: nothing new is claimed, what is done is recorded, then the bug is raised.
        """
        recorder = asyncio.create_task(self._record_until_over())
        try:
            await self._claim_until(stopping)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            self._over = True
            self._recordable()
            await asyncio.wait([recorder], timeout=LAST_RECORD_SECONDS)
        finally:
            for task in (*self._tasks, recorder):
                task.cancel()
        if self._bug is not None:
            raise self._bug

    async def _claim_until(self, stopping: asyncio.Event) -> None:
        try:
            while not stopping.is_set() and self._bug is None:
                if not await self._claim_some(stopping):
                    await self.wake.wait(POLL_SECONDS)
        except Exception as bug:  # noqa: BLE001 - `run` raises it once what is done has been recorded
            self._bug = bug

    async def _claim_some(self, stopping: asyncio.Event) -> bool:
        """Fill the free slots. False when nothing is due."""
        while self._slots - len(self._tasks) < min(CLAIM_AT_LEAST, self._slots):
            await self._done.wait(POLL_SECONDS)
            if self._bug is not None or stopping.is_set():
                return True
        free = self._slots - len(self._tasks)
        try:
            claims = await self._beats.claim(free)
        except PASSING as fault:
            log.warning(
                "nothing can be claimed yet", at="postgresql", work=self._beats.name, fault=type(fault).__name__
            )
            return False
        for claim in claims:
            task = asyncio.create_task(self._work_one(claim))
            self._tasks.add(task)
            task.add_done_callback(self._finished)
        return len(claims) == free

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._done()

    async def _work_one(self, claim: Claim) -> None:
        try:
            result = await self._beats.work(claim)
            self._results.append(result)  # a line of its own: the list is another one after an await
            self._recordable()
        except Exception as bug:  # noqa: BLE001 - expected faults are results; anything else stops the service
            self._bug = bug
            self.wake()

    async def _record_until_over(self) -> None:
        """One committer takes what has gathered: batches form by themselves under load."""
        try:
            while not self._over:
                await self._recordable.wait(POLL_SECONDS)
                await self._record_all()
        except Exception as bug:  # noqa: BLE001 - as in `_work_one`: going on would work and never record
            self._bug = bug
            self.wake()

    async def _record_all(self) -> None:
        pause = 0.2
        while self._results:
            results, self._results = self._results, []
            try:
                await self._beats.record(results)
                self._beats.recorded()
                pause = 0.2
            except PASSING as fault:
                self._results[:0] = results
                log.warning("results wait to be recorded", work=self._beats.name, fault=type(fault).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5)
