"""Folds the log into the shadow: its history one partition number at a time, then what came meanwhile in batches."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import Any
from uuid import UUID

from aiokafka import ConsumerRecord

from ledger_service import shadow, store
from ledger_service.attempts import attempts_of
from ledger_service.gather import LIMIT, Gathered, Share, fold_all
from ledger_service.handlers import TOPICS
from ledger_service.log import Log
from schemas.events import Event, JobCompleted
from schemas.identity import PARTITIONS
from schemas.wire import Position, UnreadableRecordError, decode
from stage.database import Connection
from stage.heard import Heard
from stage.sift import Partition

SAID = JobCompleted.topic
"""What the ledger itself said: it is not folded, and tells which jobs were announced."""

RECORDS_AT_ONCE = 50_000  # of one reading, which as a rule keeps within `LIMIT`; a long log is read number by number
FACTS_AT_ONCE = 20_000  # rows of a few hundred bytes wait in memory for one COPY
BATCH_RECORDS = 2_000
WORDS_EVERY_S = 2.0

Say = Callable[[str], None]


def places(*topics: str) -> list[Partition]:
    """Every partition of these topics."""
    return [(topic, number) for topic in topics for number in range(PARTITIONS)]


class History:
    """The shadow's tables, and how much of the log they hold: `done` of each place, what was said included."""

    def __init__(self, connection: Connection, log: Log, say: Say, limit: int = LIMIT) -> None:
        self._connection, self._log, self._say, self._limit = connection, log, say, limit
        self.done: dict[Partition, int] = dict.fromkeys(places(*TOPICS, SAID), 0)
        self.facts = 0
        self.seconds = 0.0
        self._waiting: list[tuple[Any, ...]] = []
        self._copying: asyncio.Task[None] | None = None
        self._spoke = monotonic()

    async def fold_to(self, ends: Mapping[Partition, int]) -> None:
        """Fill the empty tables with everything below `ends`.

        Partition numbers are folded in memory and copied, one by one or some together; memory is bounded as `gather`
        says.
        """
        total = sum(ends.values())
        with self._timed(), _without_garbage():
            async with self._copies():
                for numbers in _together(ends):
                    await self._fold_numbers({place: (0, end) for place, end in ends.items() if place[1] in numbers})
                    self._tell(f"{self.facts:,} facts of about {total:,} folded")
            await shadow.finish(self._connection)
        self.done |= ends

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
            event = _fact(record, position)
            if event is None:
                continue
            told = isinstance(event, JobCompleted)
            if first and not told:
                self._waiting.append((*_place(position), event.job_id, event.event_id, event.occurred_at))
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
        await self._copied()
        self._copying = asyncio.create_task(work)
        await asyncio.sleep(0)  # its first rows leave before the next records are folded

    async def _copied(self) -> None:
        if self._copying is not None:
            await self._copying
            self._copying = None

    def _taken(self) -> list[tuple[Any, ...]]:
        rows, self._waiting = self._waiting, []
        self.facts += len(rows)
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

    async def catch_up(self, ends: Mapping[Partition, int]) -> int:
        """Add what lies between `done` and `ends`, row by row as the live ledger does, and return how many facts.

        Runs inside the caller's transaction, if there is one.
        """
        before = self.facts
        with self._timed():
            said: dict[UUID, int] = {}
            async for records in self._log.read({place: (self.done[place], end) for place, end in ends.items()}):
                for start in range(0, len(records), BATCH_RECORDS):
                    heard = list(_heard(records[start : start + BATCH_RECORDS]))
                    for item in heard:
                        if isinstance(item.event, JobCompleted):
                            said[item.event.job_id] = max(said.get(item.event.job_id, 0), item.event.revision)
                    await self._add([item for item in heard if not isinstance(item.event, JobCompleted)])
            await shadow.mark(self._connection, "announced", said)
        self.done |= ends
        return self.facts - before

    async def _add(self, heard: Sequence[Heard]) -> None:
        """The live ledger's fold, but nothing is announced."""
        if not heard:
            return
        async with self._connection.transaction():
            await self._connection.execute(shadow.LOOK_THERE)
            jobs = await store.load(self._connection, list({item.event.job_id for item in heard}))
            await store.write(self._connection, fold_all(jobs, ((item.event, item.position) for item in heard)))
            await store.add_attempts(
                self._connection, (attempt for item in heard for attempt in attempts_of(item.event))
            )
            await store.add_facts(self._connection, heard)
        self.facts += len(heard)

    async def said_since(self, topic: str, start: Mapping[Partition, int]) -> dict[UUID, int]:
        """The last revision of each job that a fact of `topic` names, between `start` and the log's end of now."""
        ends = await self._log.ends(places(topic))
        said: dict[UUID, int] = {}
        async for records in self._log.read({place: (start[place], end) for place, end in ends.items()}):
            for item in _heard(records):
                said[item.event.job_id] = max(said.get(item.event.job_id, 0), item.event.revision)
        return said

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = monotonic()
        yield
        self.seconds += monotonic() - began

    def _tell(self, words: str) -> None:
        if monotonic() - self._spoke > WORDS_EVERY_S:
            self._spoke = monotonic()
            self._say(words)


def _together(ends: Mapping[Partition, int]) -> Iterator[list[int]]:
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


def _heard(records: Sequence[ConsumerRecord[bytes, bytes]]) -> Iterator[Heard]:
    for record in records:
        position = Position(record.topic, record.partition, record.offset)
        if event := _fact(record, position):
            yield Heard(position, event)


def _fact(record: ConsumerRecord[bytes, bytes], position: Position) -> Event | None:
    """What a record says. What is unreadable has had its dead letter, and says nothing."""
    try:
        return decode(position, record.key, record.value, record.headers)
    except UnreadableRecordError:
        return None


def _place(position: Position) -> tuple[str, int, int]:
    return position.topic, position.partition, position.offset
