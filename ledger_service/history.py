"""Folds the log into the shadow: its history in memory, number by number, then what came meanwhile in batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from uuid import UUID

from aiokafka import ConsumerRecord

from ledger_service import shadow, store
from ledger_service.attempts import attempts_of
from ledger_service.filling import Filling, together
from ledger_service.gather import LIMIT, fold_all, limit_of_each
from ledger_service.handlers import TOPICS
from ledger_service.log import Log, fact_of
from ledger_service.workers import Workers
from schemas.events import JobCompleted
from schemas.identity import PARTITIONS
from schemas.wire import Position
from stage.database import Connection
from stage.heard import Heard
from stage.sift import Partition

SAID = JobCompleted.topic
"""What the ledger itself said: it is not folded, and tells which jobs were announced."""

BATCH_RECORDS = 2_000
WORDS_EVERY_S = 2.0

Say = Callable[[str], None]


def places(*topics: str) -> list[Partition]:
    """Every partition of these topics."""
    return [(topic, number) for topic in topics for number in range(PARTITIONS)]


class History:
    """The shadow's tables, and how much of the log they hold: `done` of each place, what was said included."""

    def __init__(
        self, connection: Connection, log: Log, say: Say, workers: Workers | None = None, limit: int = LIMIT
    ) -> None:
        self._connection, self._log, self._say, self._workers, self._limit = connection, log, say, workers, limit
        self.done: dict[Partition, int] = dict.fromkeys(places(*TOPICS, SAID), 0)
        self.facts = 0
        self.seconds = 0.0
        self._spoke = monotonic()

    async def fold_to(self, ends: Mapping[Partition, int]) -> None:
        """Fill the empty tables with everything below `ends`.

        Partition numbers are folded in memory and copied, one by one or some together, by `workers` too when the log is
        long. Memory is bounded as `gather` says, for all processes together.
        """
        total = sum(ends.values())
        processes = self._workers.worth(total) if self._workers else 1

        def tell(facts: int) -> None:
            self.facts += facts
            self._tell(f"{self.facts:,} facts of about {total:,} folded")

        with self._timed():
            limit = min(self._limit, limit_of_each(processes))
            filling = Filling(self._connection, self._log, limit)
            if self._workers and processes > 1:
                await self._workers.fold(ends, filling, limit, processes, tell)
            else:
                await filling.fill(ends, together(ends), tell)
            await shadow.finish(self._connection)
        self.done |= ends

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


def _heard(records: Sequence[ConsumerRecord[bytes, bytes]]) -> Iterator[Heard]:
    for record in records:
        position = Position(record.topic, record.partition, record.offset)
        if event := fact_of(record, position):
            yield Heard(position, event)
