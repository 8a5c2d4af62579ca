"""Hear facts in batches and record what they mean, once.

A batch's effects and its offsets are one PostgreSQL transaction, so a crash, a rebalance or a replay repeats
nothing. Kafka's own committed offsets are only for display. No long work happens here: a handler writes rows.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage, KafkaMessage

from schemas.topics import EXPIRING
from stage import offsets, outbox
from stage.database import PASSING, Pool
from stage.heard import Handler, read
from stage.kafka import LogEnds, cluster_id, whose
from stage.lanes import in_lanes
from stage.polling import PatientConsumer
from stage.rewind import rewound
from stage.same_log import LogReplacedError, refuse_another_log
from stage.settings import KafkaSettings
from stage.sift import Partition, sift
from stage.telemetry import get_logger

log = get_logger(__name__)

BATCH_RECORDS = 5_000  # a batch costs, not its records: 500 gave 10,600 facts/s, 2,000 gave 14,600, 5,000 gave 16,800
LONGEST_PAUSE = 10.0
LOOK_BACK_EVERY = 2.0  # how long a rewind may go unnoticed on a partition where nothing new is said


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads what. `instance` is the replica's stable name, or empty when it has none."""

    service: str
    instance: str
    access: KafkaSettings
    topics: Sequence[str]


class Consumer:
    """Reads a service's topics and hands each fact to `handle`, effects exactly once.

    A large batch is handled in up to `lanes` transactions at once, so that Python and PostgreSQL work side by side.
    After each commit `heard` is called, to wake what works on the new rows. A fault of Kafka or PostgreSQL is
    waited out and the batch read again. `LogReplacedError` and `NewerVersionError` end `run`: the service must stop.
    """

    def __init__(
        self, reader: Reader, pool: Pool, ends: LogEnds, *, handle: Handler, heard: Callable[[], None], lanes: int = 1
    ) -> None:
        self._reader, self._pool, self._ends = reader, pool, ends
        self._handle, self._heard, self._lanes = handle, heard, lanes
        self._subscriber: Any = None
        self._fatal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._checking = asyncio.Lock()
        self._holes: dict[Partition, int] = {}
        self._faults = 0
        self.following: dict[Partition, int] = {}
        """The next offset of each partition assigned and checked; for the watchdog and for display."""
        self.busy = False
        self.faulty = False
        self.batches = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Read until `stopping`. Ends with an exception only when the service must not go on."""
        broker = KafkaBroker(
            self._reader.access.kafka_bootstrap_servers, client_id=self._reader.instance or self._reader.service,
            consumer_only=True, apply_types=False, graceful_timeout=5, allow_auto_create_topics=False, logger=None,
        )  # fmt: skip
        self._subscribe(broker)
        await self._start(broker)
        display = asyncio.create_task(self._show_offsets())
        rewinds = asyncio.create_task(self._follow_rewinds())
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait((self._fatal, stop), return_when=asyncio.FIRST_COMPLETED)
            if self._fatal.done():
                self._fatal.result()
        finally:
            display.cancel()
            rewinds.cancel()
            stop.cancel()
            await broker.stop()

    def _subscribe(self, broker: KafkaBroker) -> None:
        self._subscriber = broker.subscriber(
            *self._reader.topics, batch=True, group_id=self._reader.service,
            group_instance_id=self._reader.instance or None,
            max_records=BATCH_RECORDS, ack_policy=AckPolicy.MANUAL, no_reply=True, auto_offset_reset="earliest",
            session_timeout_ms=30_000, heartbeat_interval_ms=3_000, rebalance_timeout_ms=30_000,
            listener=_Assignments(self), parser=self._parse, decoder=_records_of,
        )  # fmt: skip
        self._subscriber(self._on_batch)

    async def _start(self, broker: KafkaBroker) -> None:
        delay = 0.2
        while True:
            try:
                await broker.connect()
                config = broker.config.broker_config
                options = config.builder.keywords  # type: ignore[attr-defined]
                config.builder = partial(PatientConsumer, **options | self._reader.access.kafka_client_options())
                return await broker.start()
            except KafkaError as fault:
                log.warning("Kafka does not answer yet", error=type(fault).__name__, next_try_in_s=delay)
                await broker.stop()
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5)

    async def _parse(self, records: tuple[ConsumerRecord[Any, Any], ...]) -> KafkaMessage:
        """Hand the batch on as it is. FastStream's own parser drops a whole batch for one bad header."""
        return KafkaAckableMessage(
            raw_message=records, body=b"", consumer=self._subscriber.consumer, message_id=str(records[0].offset)
        )

    async def _on_batch(self, records: tuple[ConsumerRecord[Any, Any], ...]) -> None:
        self.busy = True
        try:
            await self._take_all(records)
            self._faults, self.faulty = 0, False
            self.batches += 1
        except (KafkaError, *PASSING) as fault:
            await self._again(records, fault)
        except Exception as fatal:  # noqa: BLE001 - another log, a newer version or a bug: nothing may be skipped
            self._give_up(fatal)
        finally:
            self.busy = False

    async def _take_all(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Each lane commits or fails by itself. Returns when all have; a fault that waiting cannot cure goes first."""
        lanes = in_lanes(records, self._lanes)
        ended = await asyncio.gather(*map(self._take, lanes), return_exceptions=True)
        faults = [fault for fault in ended if fault is not None]
        for fault in sorted(faults, key=lambda fault: isinstance(fault, (KafkaError, *PASSING))):
            raise fault

    async def _take(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        places = {(record.topic, record.partition) for record in records}
        if unchecked := places - self.following.keys():
            await self.check(unchecked)
        async with self._pool.acquire() as connection, connection.transaction():
            stored = await offsets.lock(connection, places)
            sifted = sift(records, stored, self._holes)
            heard, unreadable = read(sifted.fresh)
            if heard:
                await self._handle(connection, heard)
            if unreadable:
                await outbox.add(connection, unreadable)
            if sifted.next:
                await offsets.move(connection, sifted.next)
        # Somebody else may have moved `next` on meanwhile, or taken a partition over.
        self.following.update({place: at for place, at in (stored | sifted.next).items() if place in self.following})
        if heard or unreadable:
            self._heard()
        if sifted.jumped:
            await self._go_back(sifted.jumped)

    async def check(self, places: Iterable[Partition]) -> None:
        """Make sure that the log is the one that was read before, and continue where the database says.

        Raises `LogReplacedError` when it is another cluster's, ends before or begins behind that place. Where records
        expire by themselves it may begin behind: reading goes on there.
        """
        async with self._checking:
            wanted = [TopicPartition(*place) for place in sorted(places)]
            begins, ends = await self._ends.beginnings(wanted), await self._ends.ends(wanted)
            cluster = await cluster_id(self._reader.access)
            async with self._pool.acquire() as connection, connection.transaction():
                known = await offsets.stored(connection, wanted)
                new = {place: begins[place] for place in wanted if place not in known}
                await offsets.begin(connection, new, cluster)
                expired = {
                    place: begins[TopicPartition(*place)] for place, (following, owner) in known.items()
                    if place[0] in EXPIRING and owner == cluster and following < begins[TopicPartition(*place)]
                }  # fmt: skip
                await offsets.lock(connection, expired)
                await offsets.move(connection, expired)
                known |= {place: (begin, cluster) for place, begin in expired.items()}
            for place in wanted:
                following, owner = known.get(place, (begins[place], cluster))
                refuse_another_log(place, following, begins[place], ends[place], owner, cluster)
                self._seek(place, following)
                self.following[place] = following

    def forget(self, places: Iterable[Partition]) -> None:
        """These belong to another reader now; they are checked anew when they come back."""
        for place in places:
            self.following.pop(place, None)
            self._holes.pop(place, None)

    async def _go_back(self, jumped: Mapping[Partition, int]) -> None:
        """Some records were passed over: read from the expected offsets again. Nothing there at all is a hole.

        A hole is believed only of the very offset that the log is asked for here, so nothing may come in between.
        """
        begins = await self._ends.beginnings(TopicPartition(*place) for place in jumped)
        expired = {
            place for place, at in jumped.items() if place[0] in EXPIRING and begins[TopicPartition(*place)] > at
        }
        if expired:
            await self.check(expired)
        jumped = {place: expected for place, expected in jumped.items() if place not in expired}
        for (topic, number), expected in jumped.items():
            place = TopicPartition(topic, number)
            if begins[place] > expected:
                raise LogReplacedError(
                    f"{topic}-{number} begins at {begins[place]}, behind {expected}: records are lost"
                )
        for place, expected in jumped.items():
            self._seek(TopicPartition(*place), expected)
            self._holes[place] = expected

    async def _again(self, records: Sequence[ConsumerRecord[Any, Any]], fault: Exception) -> None:
        self._faults, self.faulty = self._faults + 1, True
        pause = min(0.2 * 2 ** min(self._faults, 10), LONGEST_PAUSE)
        log.warning(
            "a batch is read again", at=whose(fault), fault=type(fault).__name__, error=str(fault), pause_s=pause
        )
        await asyncio.sleep(pause)
        earliest: dict[TopicPartition, int] = {}
        for record in records:
            earliest.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        for partition, offset in earliest.items():
            self._seek(partition, offset)

    def _seek(self, partition: TopicPartition, offset: int) -> None:
        consumer = self._subscriber.consumer
        self._holes.pop(partition, None)
        try:
            if consumer is not None:
                consumer.seek(partition, offset)
        except IllegalStateError:
            self.forget([partition])  # taken away meanwhile: its new owner begins where the database says

    def _give_up(self, fatal: Exception) -> None:
        if not self._fatal.done():
            self._fatal.set_exception(fatal)

    async def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Check new partitions at once, records or not. Passing faults are left to the first batch."""
        try:
            await self.check(partitions)
        except LogReplacedError as fatal:
            self._give_up(fatal)
        except Exception as fault:  # noqa: BLE001 - aiokafka would swallow it; the first batch checks again
            log.warning("partitions are checked later", error=str(fault))

    async def _follow_rewinds(self) -> None:
        """Go back where somebody moved `next` back. The next record would show it, but there may be none for days."""
        while True:
            await asyncio.sleep(LOOK_BACK_EVERY)
            followed = dict(self.following)
            try:
                async with self._pool.acquire() as connection:
                    back = rewound(followed, await offsets.stored(connection, followed))
            except PASSING as fault:
                log.debug("rewinds are looked for later", error=str(fault))
                continue
            for place in back.keys() & self.following.keys():
                log.info("reading again", topic=place[0], partition=place[1], offset=back[place])
                self.following[place] = back[place]
                self._seek(TopicPartition(*place), back[place])

    async def _show_offsets(self) -> None:
        """Tell Kafka how far we are, for people who look there. Nothing reads it back."""
        shown: dict[Partition, int] = {}
        while True:
            await asyncio.sleep(2)
            moved = {TopicPartition(*place): n for place, n in self.following.items() if shown.get(place) != n}
            try:
                if moved and self._subscriber.consumer is not None:
                    await self._subscriber.consumer.commit(moved)
                    shown.update(moved)
            except (KafkaError, IllegalStateError) as fault:
                log.debug("offsets are shown later", error=str(fault))


class _Assignments(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._consumer.forget(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._consumer.assigned(assigned)


async def _records_of(message: KafkaMessage) -> Any:
    return message.raw_message
