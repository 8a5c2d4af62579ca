"""Single records are found at their places in a real log, wherever they lie, and what is gone is left out."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import KafkaError

from darkroom.local.stack import Stack
from gateway.log_reading import READ_SECONDS, LogReader
from schemas.wire import Position
from stage.settings import KafkaSettings

PARTITION = 5
RECORDS = 20_000


@pytest.fixture
def reader(servers: Stack) -> LogReader:
    return LogReader(KafkaSettings.model_validate(servers.environ), "test")


@pytest.fixture(scope="module")
async def log(servers: Stack) -> Stack:
    """Two topics, each with many records that say their own place."""
    async with AIOKafkaProducer(bootstrap_servers=servers.environ["KAFKA_BOOTSTRAP_SERVERS"], linger_ms=5) as producer:
        sends = [
            await producer.send(topic, f"{topic}/{number}".encode(), b"job", PARTITION, headers=[("ce_source", b"me")])
            for topic in ("media.stored", "upload.failed")
            for number in range(RECORDS)
        ]
        await asyncio.gather(*sends)
    return servers


@pytest.mark.usefixtures("log")
async def test_records_that_lie_far_apart_are_found_in_time(reader: LogReader) -> None:
    wanted = [
        Position(topic, PARTITION, offset)
        for topic in ("media.stored", "upload.failed")
        for offset in (*range(0, RECORDS, 80), RECORDS - 1)
    ]

    async with asyncio.timeout(READ_SECONDS):
        found = await reader.read(wanted, "acme")

    assert {place: record.value for place, record in found.items()} == {
        place: f"{place.topic}/{place.offset}".encode() for place in wanted
    }
    assert {(record.key, tuple(record.headers)) for record in found.values()} == {(b"job", (("ce_source", b"me"),))}


@pytest.mark.usefixtures("log")
async def test_what_is_beyond_the_end_or_in_an_empty_partition_is_left_out(reader: LogReader) -> None:
    there = Position("media.stored", PARTITION, 7)
    nowhere = [Position("media.stored", PARTITION, RECORDS), Position("media.stored", PARTITION + 1, 0)]

    assert set(await reader.read([there, *nowhere], "acme")) == {there}
    assert await reader.read(nowhere, "acme") == {}
    assert await reader.read([], "acme") == {}


async def test_what_retention_took_is_left_out(reader: LogReader, log: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=log.environ["KAFKA_BOOTSTRAP_SERVERS"])
    await admin.start()
    await admin.delete_records({TopicPartition("upload.failed", PARTITION): RecordsToDelete(before_offset=100)})
    await admin.close()
    gone, there = Position("upload.failed", PARTITION, 99), Position("upload.failed", PARTITION, 100)

    assert set(await reader.read([gone, there], "acme")) == {there}
    assert await reader.read([gone], "acme") == {}


async def test_a_partition_that_retention_has_emptied_has_nothing_to_wait_for(
    reader: LogReader, log: Stack
) -> None:  # fmt: skip
    place, bootstrap = TopicPartition("upload.failed", PARTITION + 1), log.environ["KAFKA_BOOTSTRAP_SERVERS"]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(place.topic, b"x", b"job", place.partition)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_records({place: RecordsToDelete(before_offset=1)})
    await admin.close()

    assert await reader.read([Position(place.topic, place.partition, 0)], "acme") == {}


async def test_callers_wait_for_one_another_and_all_are_answered(reader: LogReader, log: Stack) -> None:
    asked = [Position("media.stored", PARTITION, number * 1_000) for number in range(12)]

    found = await asyncio.gather(*(reader.read([place], f"tenant-{number % 3}") for number, place in enumerate(asked)))

    assert [set(each) for each in found] == [{place} for place in asked]


async def test_a_tenant_that_reads_very_much_keeps_nobody_else_waiting(reader: LogReader, log: Stack) -> None:
    places = [Position("media.stored", PARTITION, number * 700) for number in range(25)]
    greedy = [asyncio.create_task(reader.read([place], "greedy")) for place in places]
    await asyncio.sleep(0)  # all of them stand in the queue now

    found = await reader.read(places[:1], "modest")
    served = sum(task.done() for task in greedy)
    for task in greedy:
        task.cancel()
    await asyncio.wait(greedy)

    assert set(found) == set(places[:1])
    assert served <= len(greedy) // 2


async def test_without_kafka_nothing_is_said_to_be_gone(reader: LogReader, log: Stack) -> None:
    await log.stop("kafka")
    try:
        with pytest.raises((KafkaError, TimeoutError)):
            await reader.read([Position("media.stored", PARTITION, 0)], "acme")
    finally:
        await log.start("kafka")
