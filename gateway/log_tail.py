"""Finds requests in the part of the log that the ledger has not read yet."""

import asyncio
from contextlib import suppress
from time import monotonic

from aiokafka import AIOKafkaConsumer, TopicPartition

from gateway.log_window import Record, Window
from schemas.events import JobRequested
from schemas.identity import PARTITIONS
from schemas.topics import MAX_MESSAGE_BYTES
from schemas.wire import Position, UnreadableRecordError, decode
from stage.settings import KafkaSettings
from stage.telemetry import get_logger

log = get_logger(__name__)

SCAN_SECONDS = 5.0
IDLE_SECONDS = 30.0
"""How long the log is followed after the last miss: the next one is then answered without a connection to be made."""
KEPT_BYTES = 3 * 1_048_576
"""Of records, by partition: some 1,400 usual requests. What does not fit is read again when it is asked for."""


class TooFarBehindError(Exception):
    """The ledger is so far behind that looking for the request would take too long."""


class LogTail:
    """Follows job.requested as long as people ask for what the ledger has not read yet. Costs nothing before.

    One consumer serves all who ask at a time: each record is fetched once, however many wait for one behind it.
    """

    def __init__(self, access: KafkaSettings, name: str, most: int) -> None:
        self._access, self._name, self._most = access, name, most
        self._windows: dict[int, Window] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._asked_at = 0.0

    async def find(self, key: bytes, partition: int, start: int, end: int) -> JobRequested | None:
        """The first request under `key` in [start, end) of its partition, or None.

        Raises `TooFarBehindError`, `KafkaError` or `TimeoutError` when that cannot be said, and `NewerVersionError`
        for a request that a later version than ours has accepted.
        """
        if end - start > self._most:
            raise TooFarBehindError
        async with asyncio.timeout(SCAN_SECONDS):
            await self._follow()
            for record in await self._look(self._windows[partition], key, partition, start, end):
                if (found := _read(record)) is not None:
                    return found
        return None

    @property
    def following(self) -> bool:
        """Whether the log is followed at the moment."""
        return self._consumer is not None

    async def close(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _look(self, window: Window, key: bytes, partition: int, start: int, end: int) -> list[Record]:
        """All records under `key`, the first one first, of a stretch that includes [start, end)."""
        if window.begins <= start:
            return await window.records(key, start, end)
        async with window.one_at_a_time:  # who goes back makes the others wait, never begin anew
            if window.begins > start:
                window.begin(start)
                place = TopicPartition(JobRequested.topic, partition)
                self._reader.seek(place, start)
                self._reader.resume(place)
            return await window.records(key, start, end)

    @property
    def _reader(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise TimeoutError("the log is not followed any more")
        return self._consumer

    async def _follow(self) -> None:
        """Return once the log is followed, by us or by whoever asked a moment ago."""
        self._asked_at = monotonic()
        async with self._starting:
            if self._consumer is not None:
                return
            consumer = AIOKafkaConsumer(
                **self._access.kafka_client_options(), client_id=f"{self._name}-tail", auto_offset_reset="earliest",
                max_partition_fetch_bytes=4 * MAX_MESSAGE_BYTES,
                fetch_max_wait_ms=50,  # a partition that is asked for anew waits for the fetch under way
            )  # fmt: skip
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            places = [TopicPartition(JobRequested.topic, number) for number in range(PARTITIONS)]
            consumer.assign(places)
            consumer.pause(*places)
            self._windows = {place.partition: Window(KEPT_BYTES) for place in places}
            self._consumer = consumer
            self._task = asyncio.create_task(self._run(consumer), name="log tail")

    async def _run(self, consumer: AIOKafkaConsumer) -> None:
        try:
            while monotonic() - self._asked_at < IDLE_SECONDS:
                for place, records in (await consumer.getmany(timeout_ms=500)).items():
                    # Somebody may have gone back since these were fetched: they do not follow then.
                    if await consumer.position(place) == records[-1].offset + 1:
                        self._windows[place.partition].add(records)
        except Exception as fault:  # noqa: BLE001 - whoever waits is told, and the next one begins anew
            log.warning("the log cannot be followed", fault=type(fault).__name__)
            for window in self._windows.values():
                window.give_up(fault)
        finally:
            self._consumer = None
            for window in self._windows.values():
                window.give_up(TimeoutError("the log is not followed any more"))
            await consumer.stop()


def _read(record: Record) -> JobRequested | None:
    """What a record asks for; None when nobody can read it, for the ledger passes over it as well."""
    position = Position(record.topic, record.partition, record.offset)
    try:
        event = decode(position, record.key, record.value, record.headers)
    except UnreadableRecordError:
        return None
    return event if isinstance(event, JobRequested) else None
