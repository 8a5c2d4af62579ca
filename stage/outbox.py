"""What a transaction wants to say: rows first, records after the commit, at least once, in no promised order."""

import asyncio
import json
from collections.abc import Iterable

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.wire import Headers, Record
from stage.database import PASSING, Connection, Pool
from stage.kafka import publish, whose
from stage.telemetry import get_logger
from stage.wake import Wake

log = get_logger(__name__)

COLUMNS = ("topic", "partition", "key", "value", "headers")
BATCH_RECORDS = 1_000
POLL_SECONDS = 1.0


async def add(connection: Connection, records: Iterable[Record]) -> None:
    """Say `records` once the surrounding transaction commits, and not at all when it does not."""
    rows = [(r.topic, r.partition, r.key, r.value, _pack(r.headers)) for r in records]
    if rows:
        await connection.copy_records_to_table("outbox", records=rows, columns=COLUMNS)


class Relay:
    """Publishes outbox rows and deletes them after the acknowledgement.

    Every replica runs one: rows are taken with SKIP LOCKED inside the transaction that waits for Kafka, so a
    relay that dies gives its rows back. A record may reach Kafka twice, never not at all.
    """

    def __init__(self, pool: Pool, producer: AIOKafkaProducer) -> None:
        self._pool, self._producer = pool, producer
        self.wake = Wake()

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until `stopping`, then once more."""
        pause = POLL_SECONDS
        while not stopping.is_set():
            await self.wake.wait(pause)
            pause = await self._publish_all(pause)
        await self._publish_all(pause)

    async def _publish_all(self, pause: float) -> float:
        try:
            while await self._publish_some() == BATCH_RECORDS:
                pass
        except (KafkaError, *PASSING) as fault:
            longer = min(pause * 2, 10)
            log.warning("facts wait in the outbox", at=whose(fault), fault=type(fault).__name__, next_try_in_s=longer)
            return longer
        return POLL_SECONDS

    async def _publish_some(self) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                """
                WITH taken AS MATERIALIZED (SELECT id FROM outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
                DELETE FROM outbox USING taken WHERE outbox.id = taken.id
                RETURNING topic, partition, key, value, headers
                """,
                BATCH_RECORDS,
            )
            await publish(self._producer, [_record(row) for row in rows])
        return len(rows)


def _pack(headers: Headers) -> bytes:
    texts = [(name, None if content is None else content.decode("latin-1")) for name, content in headers]
    return json.dumps(texts).encode()


def _record(row: asyncpg.Record) -> Record:
    headers = [(name, None if text is None else text.encode("latin-1")) for name, text in json.loads(row["headers"])]
    return Record(row["topic"], row["partition"], row["key"], row["value"], headers)
