"""Stretches of the log, read to their exact ends by a client that belongs to no group."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.events import Event
from schemas.wire import Position, UnreadableRecordError, decode
from stage.kafka import LogEnds, cluster_id
from stage.settings import KafkaSettings
from stage.sift import Partition

Ask = Callable[[Iterable[TopicPartition]], Awaitable[dict[TopicPartition, int]]]
Stretch = tuple[int, int]
"""The first offset, and the one behind the last."""

FETCH_BYTES = 2 * 1_024 * 1_024  # of each partition at a time: with the default, one, requests cost more than records
WAIT_MS = 20  # a longer poll would hold up the next assignment
PATIENCE_S = 60.0


class LogSilentError(Exception):
    """The log should hold more, and nothing came for a minute: Kafka does not answer, or lost what it had."""


class Log:
    """Reads any stretch, and knows where partitions begin and end."""

    def __init__(self, consumer: AIOKafkaConsumer, ends: LogEnds, cluster: str) -> None:
        self._consumer, self._ends = consumer, ends
        self.cluster = cluster
        """The id of the cluster whose log this is."""

    @classmethod
    @asynccontextmanager
    async def open(cls, access: KafkaSettings, name: str) -> AsyncIterator["Log"]:
        """Connect. `KafkaError` when Kafka does not answer."""
        consumer = AIOKafkaConsumer(
            **access.kafka_client_options(), client_id=name, enable_auto_commit=False,
            auto_offset_reset="none",  # what is not there any more must not be passed over
            fetch_max_wait_ms=WAIT_MS, max_partition_fetch_bytes=FETCH_BYTES,
        )  # fmt: skip
        async with consumer, LogEnds(access, name) as ends:
            yield cls(consumer, ends, await cluster_id(access))

    async def begins(self, places: Iterable[Partition]) -> dict[Partition, int]:
        """The oldest offset of each place that the log still holds."""
        return await _asked(self._ends.beginnings, places)

    async def ends(self, places: Iterable[Partition]) -> dict[Partition, int]:
        """The offset that the next record of each place will get."""
        return await _asked(self._ends.ends, places)

    async def read(
        self, stretches: Mapping[Partition, Stretch]
    ) -> AsyncIterator[Sequence[ConsumerRecord[bytes, bytes]]]:
        """Every record of the stretches, some of one place at a time, each place in its order.

        Raises `LogSilentError` when a stretch does not come to its end.
        """
        left = {TopicPartition(*place): end for place, (start, end) in stretches.items() if start < end}
        self._consumer.assign(list(left))
        for place in left:
            self._consumer.seek(place, stretches[place.topic, place.partition][0])
        patient = PATIENCE_S
        while left:
            fetched = await self._consumer.getmany(timeout_ms=1_000)
            patient = PATIENCE_S if fetched else patient - 1
            if patient <= 0:
                raise LogSilentError(f"nothing came for {PATIENCE_S:.0f} s from {', '.join(_shown(left))}")
            for place in fetched.keys() & left.keys():
                yield _below(fetched[place], left[place])
            for place in [place for place, end in left.items() if await self._consumer.position(place) >= end]:
                self._consumer.pause(place)
                del left[place]


def fact_of(record: ConsumerRecord[bytes, bytes], position: Position) -> Event | None:
    """What a record says. What is unreadable has had its dead letter, and says nothing."""
    try:
        return decode(position, record.key, record.value, record.headers)
    except UnreadableRecordError:
        return None


async def _asked(ask: Ask, places: Iterable[Partition]) -> dict[Partition, int]:
    """Each topic by itself: a client that does not know them yet would learn them one after the other."""
    topics: dict[str, list[TopicPartition]] = {}
    for place in places:
        topics.setdefault(place[0], []).append(TopicPartition(*place))
    answers = await asyncio.gather(*map(ask, topics.values()))
    return {(place.topic, place.partition): offset for answer in answers for place, offset in answer.items()}


def _below(records: Sequence[Any], end: int) -> Sequence[Any]:
    if records[-1].offset < end:
        return records
    return [record for record in records if record.offset < end]


def _shown(left: Mapping[TopicPartition, int]) -> list[str]:
    return [f"{place.topic}-{place.partition} below {end}" for place, end in left.items()]
