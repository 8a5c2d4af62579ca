"""Folds whole partition numbers of the log in memory, and copies what they add up to into the shadow's empty tables."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka import ConsumerRecord

from ledger_service import shadow, store
from ledger_service.gather import LIMIT, Gathered, Share
from ledger_service.log import Log, fact_of
from schemas.events import JobCompleted
from schemas.identity import PARTITIONS
from schemas.wire import Position
from stage.database import Connection
from stage.sift import Partition

RECORDS_AT_ONCE = 50_000  # of one reading, which as a rule keeps within `LIMIT`; a long log is read number by number
FACTS_AT_ONCE = 20_000  # rows of a few hundred bytes wait in memory for one COPY

Tell = Callable[[int], None]
"""Hears how many facts were folded since it heard last."""


class Filling:
    """What one process does of it. Memory is bounded by `limit`, as `gather` says."""

    def __init__(self, connection: Connection, log: Log, limit: int = LIMIT) -> None:
        self._connection, self._log, self._limit = connection, log, limit
        self._facts = 0
        self._waiting: list[tuple[Any, ...]] = []
        self._copying: asyncio.Task[None] | None = None

    async def fill(self, ends: Mapping[Partition, int], together: Iterable[Sequence[int]], tell: Tell) -> None:
        """Add what lies below `ends` under these partition numbers, some of them together. At its end all is there."""
        with _without_garbage():
            async with self._copies():
                for numbers in together:
                    await self._fold_numbers({place: (0, end) for place, end in ends.items() if place[1] in numbers})
                    tell(self._facts)
                    self._facts = 0

    async def _fold_numbers(self, stretches: Mapping[Partition, tuple[int, int]]) -> None:
        """One reading for each share of the jobs. The first reading writes the facts of all of them."""
        shares, first = [Share()], True
        while shares:
            gathered = Gathered(shares.pop())
            async for records in self._log.read(stretches):
                self._gather(gathered, records, first)
                if put_off := gathered.lighten(self._limit):
                    shares.append(put_off)
                if len(self._waiting) >= FACTS_AT_ONCE:
                    await self._beside(self._copy_facts(self._taken()))
            await self._beside(self._copy(gathered, self._taken()))
            first = False

    def _gather(self, gathered: Gathered, records: Sequence[ConsumerRecord[bytes, bytes]], first: bool) -> None:
        wanted = gathered.share.holds
        for record in records:
            key = record.key or b""
            if not (first or wanted(key)):
                continue
            position = Position(record.topic, record.partition, record.offset)
            event = fact_of(record, position)
            if event is None:
                continue
            told = isinstance(event, JobCompleted)
            if first and not told:
                place = record.topic, record.partition, record.offset
                self._waiting.append((*place, event.job_id, event.event_id, event.occurred_at))
            if not wanted(key):
                continue
            if told:
                gathered.hear_said(key, event.revision)
            else:
                gathered.hear(key, event, position, len(record.value or b""))

    @asynccontextmanager
    async def _copies(self) -> AsyncIterator[None]:
        """Within it, rows are copied while the records after them are read; at its end all are there."""
        try:
            yield
            await self._copied()
        finally:
            if self._copying is not None:
                self._copying.cancel()
                await asyncio.wait([self._copying])

    async def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin to copy once what was copied before is there: never are two under way."""
        try:
            await self._copied()
        except BaseException:
            work.close()
            raise
        self._copying = asyncio.create_task(work)
        await asyncio.sleep(0)  # its first rows leave before the next records are folded

    async def _copied(self) -> None:
        if self._copying is not None:
            await self._copying
            self._copying = None

    def _taken(self) -> list[tuple[Any, ...]]:
        rows, self._waiting = self._waiting, []
        self._facts += len(rows)
        return rows

    async def _copy_facts(self, rows: list[tuple[Any, ...]]) -> None:
        await store.copy_facts(self._connection, shadow.SHADOW, rows)

    async def _copy(self, gathered: Gathered, facts: list[tuple[Any, ...]]) -> None:
        whole, disputed = gathered.attempts()
        async with self._connection.transaction():
            await self._connection.execute("SET LOCAL synchronous_commit = off")
            await self._connection.execute(shadow.LOOK_THERE)
            await self._copy_facts(facts)
            await store.copy_jobs(self._connection, shadow.SHADOW, gathered.jobs())
            await store.copy_attempts(self._connection, shadow.SHADOW, whole)
            await store.add_attempts(self._connection, disputed)


def together(ends: Mapping[Partition, int]) -> Iterator[list[int]]:
    """Partition numbers that are read together."""
    numbers: list[int] = []
    records = 0
    for number in range(PARTITIONS):
        more = sum(end for place, end in ends.items() if place[1] == number)
        if numbers and records + more > RECORDS_AT_ONCE:
            yield numbers
            numbers, records = [], 0
        numbers, records = [*numbers, number], records + more
    yield numbers


@contextmanager
def _without_garbage() -> Iterator[None]:
    """Facts and jobs hold no cycles, and looking for some would take longer than everything else."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
