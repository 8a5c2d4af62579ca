"""Producers and what is asked of the cluster, with the settings that every service needs alike."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.wire import Record
from stage.settings import KafkaSettings
from stage.telemetry import get_logger

log = get_logger(__name__)

PUBLISH_SECONDS = 15.0
"""How long an acknowledgement is waited for. What is late is unknown, not failed: it is said again.

Below `database.SESSION`'s idle_in_transaction_session_timeout: a relay waits for it inside a transaction.
"""


@asynccontextmanager
async def producer(access: KafkaSettings, name: str) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer with acks=all. Waits for Kafka to answer, saying so.

    Idempotence stays off: one oversize record would block aiokafka's producer for good, and facts carry ids.
    """
    started = AIOKafkaProducer(
        **access.kafka_client_options(), client_id=name, acks="all", enable_idempotence=False,
        linger_ms=0, max_request_size=1_048_576, request_timeout_ms=10_000,
    )  # fmt: skip
    await _start(started)
    try:
        yield started
    finally:
        await started.stop()


async def _start(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    delay = 0.2
    while True:
        try:
            await client.start()
            return
        except KafkaError as fault:
            log.warning("Kafka does not answer yet", error=type(fault).__name__, next_try_in_s=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5)


def whose(fault: Exception) -> str:
    """Which server a fault came from, for work that needs both Kafka and PostgreSQL."""
    return "kafka" if isinstance(fault, KafkaError) else "postgresql"


async def publish(
    client: AIOKafkaProducer, records: Iterable[Record], *, timeout: float = PUBLISH_SECONDS
) -> None:  # fmt: skip
    """Return once every record is acknowledged by all in-sync replicas.

    Raises `KafkaError` or `TimeoutError`: some of them may then be in the log nevertheless.
    """
    acks: list[asyncio.Future[object]] = []
    try:
        async with asyncio.timeout(timeout):
            for r in records:
                ack = await client.send(r.topic, r.value, key=r.key, partition=r.partition, headers=list(r.headers))
                acks.append(ack)
            await asyncio.gather(*acks)
    except BaseException:
        for ack in acks:
            ack.add_done_callback(lambda late: late.cancelled() or late.exception())  # nobody waits for it any more
        raise


async def cluster_id(access: KafkaSettings) -> str:
    """The id that names this cluster's log: another id means other offsets."""
    admin = AIOKafkaAdminClient(**access.kafka_client_options())
    await admin.start()
    try:
        return str((await admin.describe_cluster())["cluster_id"])
    finally:
        await admin.close()


class LogEnds:
    """Asks where partitions end, on a client that never fetches: a fetching one answers half a second late."""

    def __init__(self, access: KafkaSettings, name: str) -> None:
        self._consumer = AIOKafkaConsumer(**access.kafka_client_options(), client_id=f"{name}-ends")

    async def __aenter__(self) -> "LogEnds":
        await _start(self._consumer)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset that the next record of each partition will get."""
        return dict(await self._consumer.end_offsets(list(partitions)))

    async def beginnings(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset of the oldest record that each partition still holds."""
        return dict(await self._consumer.beginning_offsets(list(partitions)))
