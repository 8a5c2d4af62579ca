"""A ledger without a process: it reads as far as a test says, in whatever batches, on a real Kafka and PostgreSQL."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
from aiokafka import ConsumerRecord
from sqlalchemy.engine import make_url

from darkroom.local.stack import Stack
from ledger_service import shadow
from ledger_service.handlers import TOPICS, on_facts
from ledger_service.history import SAID, places
from ledger_service.log import Log
from ledger_service.rebuild import Rebuilt, check, rebuild
from ledger_service.tables import SCHEMA
from schemas.events import DataRemoved, Event, Redo
from schemas.wire import Position, Record, UnreadableRecordError, decode, encode
from stage import offsets
from stage.database import Connection, Pool, new_pool
from stage.heard import Heard
from stage.kafka import producer, publish
from stage.settings import KafkaSettings
from tests.builders import (
    a_doubt,
    a_failed_generation,
    a_failed_upload,
    a_generated_output,
    a_removal,
    a_request,
    a_retry,
    a_stored_output,
    a_submission,
    later,
)
from tests.unit.ledger_service.histories import a_renewal

JOBS = 35
BATCH = 40


class SmallLedger:
    """What a test does with it."""

    def __init__(self, pool: Pool, log: Log, access: KafkaSettings) -> None:
        self.pool, self.log, self._access = pool, log, access
        self.words: list[str] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, servers: Stack) -> AsyncIterator["SmallLedger"]:
        """One that knows what the log holds by now, and has said what there was to say of it.

        The schema for the tables beside is made as the administrator would.
        """
        access = KafkaSettings.model_validate(servers.environ)
        await _make_room(servers)
        url = servers.environ["LEDGER_DATABASE_URL"]
        async with await new_pool(url, schema=SCHEMA, name="test", size=4) as pool, Log.open(access, "test") as log:
            ledger = cls(pool, log, access)
            await pool.execute("TRUNCATE jobs, outputs, attempts, facts, outbox, offsets")
            await ledger.rebuild()
            await ledger.relay()
            ledger.words.clear()
            yield ledger

    async def say(self, *facts: Event) -> None:
        """Put facts into the log."""
        await self.produce([encode(fact, source="test") for fact in facts])

    async def produce(self, records: Sequence[Record]) -> None:
        """Put records into the log."""
        async with producer(self._access, "test") as client:
            await publish(client, records)

    async def read(self, seed: int = 0, least: float = 1.0) -> None:
        """Read on, in shuffled batches as several partitions would come, at least that part of what there is."""
        following = await self._following()
        ends = await self.log.ends(places(*TOPICS))
        stretches = {place: (following[place], end) for place, end in ends.items()}
        batches = [batch async for batch in self.log.read(stretches)]
        batches = [batch[n : n + BATCH] for batch in batches for n in range(0, len(batch), BATCH)]
        order = [(batch[0].topic, batch[0].partition) for batch in batches]
        waiting = {place: [b for b in batches if (b[0].topic, b[0].partition) == place] for place in order}
        random.Random(seed).shuffle(order)
        for place in order[: round(len(order) * least)]:
            await self._take(waiting[place].pop(0))

    async def _take(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        """A batch as `stage.consume` takes it."""
        place = (records[0].topic, records[0].partition)
        async with self.pool.acquire() as connection, connection.transaction():
            await offsets.lock(connection, [place])
            await on_facts(connection, [heard for record in records if (heard := _heard(record))])
            await offsets.move(connection, {place: records[-1].offset + 1})

    async def relay(self) -> None:
        """Say what waits in the outbox."""
        rows = await self.pool.fetch("DELETE FROM outbox RETURNING topic, partition, key, value")
        await self.produce([Record(row["topic"], row["partition"], row["key"], row["value"], []) for row in rows])

    async def _following(self) -> dict[tuple[str, int], int]:
        async with self.pool.acquire() as connection:
            return {place: n for place, (n, _) in (await offsets.stored(connection, places(*TOPICS))).items()}

    async def check(self) -> Rebuilt:
        """Compare, as the command does."""
        async with self.session() as connection, Log.open(self._access, "check") as log:
            return await check(connection, log, self.words.append)

    async def rebuild(self) -> Rebuilt:
        """Rebuild, as the command does."""
        async with self.session() as connection, Log.open(self._access, "rebuild") as log:
            return await rebuild(connection, log, self.words.append)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        """A connection that lives as long as a command, and gives its turn back."""
        async with self.pool.acquire() as connection:
            try:
                yield connection
            finally:
                await connection.execute("SELECT pg_advisory_unlock_all()")

    async def rows(self) -> dict[str, list[str]]:
        """Every row of the live tables."""
        return {
            table: [row["row"] for row in await self.pool.fetch(f"SELECT t::text AS row FROM {table} AS t ORDER BY 1")]
            for table in shadow.PROJECTIONS
        }

    async def outbox(self) -> list[bytes]:
        """What waits to be said."""
        return [row["value"] for row in await self.pool.fetch("SELECT value FROM outbox ORDER BY value")]

    async def announced(self) -> int:
        """Records of job.completed in the log."""
        return sum((await self.log.ends(places(SAID))).values())


async def _make_room(servers: Stack) -> None:
    url = make_url(servers.environ["DARKROOM_ADMIN_DATABASE_URL"]).set(database="darkroom")
    admin = await asyncpg.connect(url.render_as_string(hide_password=False))
    await shadow.make_schema(admin, "ledger")
    await admin.close()


def _heard(record: ConsumerRecord[bytes, bytes]) -> Heard | None:
    position = Position(record.topic, record.partition, record.offset)
    try:
        return Heard(position, decode(position, record.key, record.value, record.headers))
    except UnreadableRecordError:
        return None


def all_sorts_of_jobs(count: int, seed: int = 0) -> list[Event]:
    """The facts of so many jobs: stored, failed, troubled, removed, retried, and not over."""
    dice = random.Random(seed)
    kinds = (_stored, _failed, _partial, _troubled, _removed, _retried, _waiting)
    return [fact for number in range(count) for fact in kinds[number % len(kinds)](uuid4(), dice)]


def _stored(job_id: UUID, dice: random.Random) -> list[Event]:
    number = dice.randint(1, 4)
    return [
        a_request(job_id=job_id, num_outputs=number, metadata={"order": str(number)}, input={"steps": [1, 2.50]}),
        a_submission(job_id=job_id, outputs=tuple(range(number)), occurred_at=later(1), cost_units=2),
        *(a_generated_output(job_id=job_id, index=n, occurred_at=later(2 + n)) for n in range(number)),
        *(a_stored_output(job_id=job_id, index=n, occurred_at=later(9 + n)) for n in range(number)),
    ]


def _failed(job_id: UUID, _: random.Random) -> list[Event]:
    return [
        a_request(job_id=job_id),
        a_failed_generation(job_id=job_id, final=False, next_try_at=later(5), message="once é"),
        a_failed_generation(job_id=job_id, attempt=2, occurred_at=later(6)),
    ]


def _partial(job_id: UUID, _: random.Random) -> list[Event]:
    return [
        a_request(job_id=job_id, num_outputs=2),
        a_generated_output(job_id=job_id), a_generated_output(job_id=job_id, index=1),
        a_stored_output(job_id=job_id, occurred_at=later(7)), a_failed_upload(job_id=job_id, index=1),
    ]  # fmt: skip


def _troubled(job_id: UUID, _: random.Random) -> list[Event]:
    doubt = a_doubt().model_dump(exclude={"event_id", "job_id", "tenant", "occurred_at", "topic", "type", "v"})
    words = a_failed_generation(job_id=job_id, final=False)
    return [
        a_request(job_id=job_id, num_outputs=2),
        type(a_doubt()).say(job_id, "dev", later(1), **doubt),
        a_submission(job_id=job_id, outputs=(0, 1), occurred_at=later(2)),
        words, words.model_copy(update={"message": "said again, in other words", "code": "another"}),
        a_failed_upload(job_id=job_id, index=1, final=False, occurred_at=later(4)),
    ]  # fmt: skip


def _removed(job_id: UUID, _: random.Random) -> list[Event]:
    removal = type(a_removal()).say(job_id, "dev", later(30), reason="request")
    renewal = a_renewal(1, job_id=job_id, occurred_at=later(12))
    stored = a_stored_output(job_id=job_id, occurred_at=later(13))
    return [a_request(job_id=job_id, prompt="hush"), a_generated_output(job_id=job_id), renewal, stored, removal]


def _retried(job_id: UUID, _: random.Random) -> list[Event]:
    return [
        a_request(job_id=job_id), a_failed_generation(job_id=job_id, occurred_at=later(1)),
        a_retry(Redo(index=0, start="generate"), job_id=job_id, occurred_at=later(50)),
        a_generated_output(job_id=job_id, revision=2, occurred_at=later(51)),
    ]  # fmt: skip


def _waiting(job_id: UUID, _: random.Random) -> list[Event]:
    return [a_submission(job_id=job_id)]  # heard of, but its request lies elsewhere or comes later


def removed_by_age(job_id: UUID) -> Event:
    """What a ledger says of a job that is old enough."""
    return DataRemoved.say(job_id, "dev", later(99), reason="age")
