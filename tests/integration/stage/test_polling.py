"""In which batches a backlog is heard: on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from darkroom.local.stack import Stack
from schemas.events import Event
from schemas.identity import PARTITIONS
from schemas.wire import encode
from stage.kafka import producer, publish
from stage.polling import PatientConsumer
from stage.settings import KafkaSettings
from tests.builders import a_generated_output, a_request, a_stored_output
from tests.pipeline.driver import until

FACTS = (a_request, a_generated_output, a_stored_output)
JOBS = 120
BATCH = 90
LONG = 600
NOON_MS = 1_700_000_000_000


@pytest.fixture
async def consumer(servers: Stack) -> AsyncIterator[PatientConsumer]:
    """One that reads every partition of three topics, in which facts of many jobs wait."""
    access = KafkaSettings.model_validate(servers.environ)
    jobs = [uuid4() for _ in range(JOBS)]
    facts: list[Event] = [make(job_id=job) for make in FACTS for job in jobs]
    async with producer(access, "test") as client:
        await publish(client, [encode(fact, source="test") for fact in facts])
    async with PatientConsumer(**access.kafka_client_options(), auto_offset_reset="earliest") as consumer:
        topics = {fact.topic for fact in facts}
        consumer.assign([TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)])
        yield consumer


async def test_of_a_backlog_the_facts_of_a_job_are_heard_together(consumer: PatientConsumer) -> None:
    batches: list[list[tuple[bytes, str]]] = []
    while sum(len(batch) for batch in batches) < JOBS * len(FACTS):
        records = await consumer.getmany(max_records=BATCH)
        batches.append([(record.key, record.topic) for some in records.values() for record in some])

    whole = sum(_jobs_heard_whole(batch) for batch in batches)
    assert max(len(batch) for batch in batches) == BATCH
    assert whole >= JOBS / PARTITIONS  # not all: a batch may end in the midst of a number


async def test_topics_of_a_long_backlog_are_read_in_step(servers: Stack) -> None:
    access = KafkaSettings.model_validate(servers.environ)
    places = [TopicPartition(make(job_id=uuid4()).topic, 0) for make in FACTS]
    async with PatientConsumer(**access.kafka_client_options()) as consumer:
        ends = await consumer.end_offsets(places)
        async with producer(access, "test") as client:
            said = [
                await client.send(place.topic, b"", key=b"%d" % job, partition=0, timestamp_ms=NOON_MS + job)
                for job in range(LONG) for place in places
            ]  # fmt: skip
            await asyncio.gather(*said)
        consumer.assign(places)
        for place in places:
            consumer.seek(place, ends[place])
        await until(lambda: _fetched(consumer, places), 10, "records of every topic to be fetched")

        whole = heard = 0
        while heard < LONG * len(FACTS):
            records = await consumer.getmany(max_records=4 * BATCH)
            batch = [(record.key, record.topic) for some in records.values() for record in some]
            whole, heard = whole + _jobs_heard_whole(batch), heard + len(batch)

    assert whole >= LONG / 2  # topic by topic it were none


async def test_no_partition_waits_for_ever_behind_another(consumer: PatientConsumer) -> None:
    numbers: set[int] = set()
    for _ in range(2 * PARTITIONS):
        numbers |= {place.partition for place in await consumer.getmany(max_records=1)}

    assert numbers == set(range(PARTITIONS))


async def _fetched(consumer: PatientConsumer, places: Sequence[TopicPartition]) -> bool:
    return all(consumer.highwater(place) is not None for place in places)


def _jobs_heard_whole(batch: list[tuple[bytes, str]]) -> int:
    keys = [key for key, _ in batch]
    return sum(keys.count(key) == len(FACTS) for key in set(keys))
