"""Reads single records of the log by their places."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.topics import MAX_MESSAGE_BYTES
from schemas.wire import Headers, Position
from stage.settings import KafkaSettings

READ_SECONDS = 5.0
AT_ONCE = 4
"""Callers that read side by side: each has connections and buffers of its own."""
AT_ONCE_OF_ONE = 2
"""Of these, callers of one tenant: nobody keeps all the others waiting."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as the log holds it."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    logged_at: datetime


class LogReader:
    """Looks records up. What a caller asks for is read within `READ_SECONDS`, or not at all."""

    def __init__(self, access: KafkaSettings, name: str) -> None:
        self._access, self._name = access, name
        self._room = asyncio.Semaphore(AT_ONCE)
        self._rooms: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # of who reads at the moment

    async def read(self, positions: Iterable[Position], tenant: str) -> dict[Position, LogRecord]:
        """The records at these positions, for a caller of this tenant. One that the log does not hold any more is left
        out.

        Raises `KafkaError` or `TimeoutError` when that cannot be said of all of them.
        """
        wanted: dict[TopicPartition, list[int]] = {}
        for position in sorted(set(positions), key=lambda each: each.offset):
            wanted.setdefault(TopicPartition(position.topic, position.partition), []).append(position.offset)
        if not wanted:
            return {}
        own = self._rooms.setdefault(tenant, asyncio.Semaphore(AT_ONCE_OF_ONE))
        async with asyncio.timeout(READ_SECONDS), own, self._room:
            consumer = AIOKafkaConsumer(
                **self._access.kafka_client_options(), client_id=f"{self._name}-reader", auto_offset_reset="earliest",
                max_partition_fetch_bytes=MAX_MESSAGE_BYTES, fetch_max_wait_ms=50,
            )  # fmt: skip
            try:
                await consumer.start()
                consumer.assign(list(wanted))  # all at once: topics that are asked about one by one cost 0.1 s each
                consumer.pause(*wanted)
                return await _read(consumer, await _still_there(consumer, wanted))
            finally:
                await consumer.stop()


async def _still_there(
    consumer: AIOKafkaConsumer, wanted: dict[TopicPartition, list[int]]
) -> dict[TopicPartition, list[int]]:
    """What lies between the beginning and the end of its partition."""
    begins, ends = await consumer.beginning_offsets(list(wanted)), await consumer.end_offsets(list(wanted))
    there = {
        place: [offset for offset in offsets if begins[place] <= offset < ends[place]]
        for place, offsets in wanted.items()
    }
    return {place: offsets for place, offsets in there.items() if offsets}


async def _read(
    consumer: AIOKafkaConsumer, wanted: dict[TopicPartition, list[int]]
) -> dict[Position, LogRecord]:  # fmt: skip
    """Go from each wanted offset to the next, in all partitions side by side."""
    for place, offsets in wanted.items():
        consumer.seek(place, offsets[0])
        consumer.resume(place)
    found: dict[Position, LogRecord] = {}
    while wanted:
        for place, records in (await consumer.getmany(*wanted, timeout_ms=500)).items():
            asked = set(wanted[place])
            for record in records:
                if record.offset in asked:
                    found[Position(place.topic, place.partition, record.offset)] = _plain(record)
            wanted[place] = [offset for offset in wanted[place] if offset > records[-1].offset]
            if wanted[place]:
                consumer.seek(place, wanted[place][0])
            else:
                del wanted[place]
                consumer.pause(place)
    return found


def _plain(record: "ConsumerRecord[bytes, bytes]") -> LogRecord:
    return LogRecord(
        record.key, record.value, record.headers, datetime.fromtimestamp(record.timestamp / 1_000, UTC)
    )  # fmt: skip
