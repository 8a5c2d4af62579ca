"""Finds a request in the part of the log that the ledger has not read yet."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.events import Event, JobRequested
from schemas.wire import NewerVersionError, Position, UnreadableRecordError, decode
from stage.settings import KafkaSettings

SCAN_SECONDS = 5.0


class TooFarBehindError(Exception):
    """The ledger is so far behind that looking for the request would take too long."""


class LogTail:
    """Reads single stretches of job.requested. One at a time: a miss is rare and short."""

    def __init__(self, access: KafkaSettings, name: str, most: int) -> None:
        self._access, self._name, self._most = access, name, most
        self._one_at_a_time = asyncio.Lock()

    async def find(self, key: bytes, partition: int, start: int, end: int) -> JobRequested | None:
        """The first request under `key` in [start, end) of its partition, or None.

        Raises `TooFarBehindError`, `KafkaError` or `TimeoutError` when that cannot be said.
        """
        if end - start > self._most:
            raise TooFarBehindError
        async with asyncio.timeout(SCAN_SECONDS), self._one_at_a_time:
            consumer = AIOKafkaConsumer(**self._access.kafka_client_options(), client_id=f"{self._name}-tail")
            await consumer.start()
            try:
                return await _scan(consumer, key, TopicPartition(JobRequested.topic, partition), start, end)
            finally:
                await consumer.stop()


async def _scan(
    consumer: AIOKafkaConsumer, key: bytes, place: TopicPartition, start: int, end: int
) -> JobRequested | None:
    consumer.assign([place])
    consumer.seek(place, start)
    while await consumer.position(place) < end:
        for record in (await consumer.getmany(place, timeout_ms=500)).get(place, []):
            found = _read(record) if record.key == key else None
            if isinstance(found, JobRequested):
                return found
    return None


def _read(record: object) -> Event | None:
    position = Position(record.topic, record.partition, record.offset)  # type: ignore[attr-defined]
    try:
        return decode(position, record.key, record.value, record.headers)  # type: ignore[attr-defined]
    except (UnreadableRecordError, NewerVersionError):
        return None
