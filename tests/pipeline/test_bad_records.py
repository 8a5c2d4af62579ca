"""What cannot be read goes to the dead letters, with the reason, and the rest moves on."""

import json
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from schemas.events import FACTS
from schemas.identity import partition_of
from tests.pipeline.driver import HEARS, Pipeline, until

Headers = list[tuple[str, bytes | None]]


@pytest.mark.parametrize("topic", sorted(set().union(*HEARS.values())))
async def test_unreadable_records_become_dead_letters_and_the_rest_moves_on(pipeline: Pipeline, topic: str) -> None:
    mark = uuid4()
    key = str(mark).encode()
    right = partition_of(key)
    bad: list[tuple[bytes | None, bytes | None, int, Headers]] = [
        (key, b"no json " + key, right, []),
        (key, None, right, [("mark", key)]),
        (None, b'{"mark": "%s"}' % key, right, []),
        (key, b"\xff\xfe" + key, right, [("odd", b"\xff\xfe")]),
        (key, b"[" * 20_000 + key, right, []),
        (key, json.dumps({"v": 1, "mark": str(mark)}).encode(), right, [("nothing", None)]),
        (key, json.dumps({"type": topic, "v": 1, "job_id": str(mark)}).encode(), right, []),
    ]
    await _produce(pipeline, topic, bad)

    good = await pipeline.end_of(await pipeline.submit())
    await pipeline.settled()

    readers = sum(topic in heard for heard in HEARS.values())

    async def all_there() -> bool:
        return len(await _letters(pipeline, topic, key)) == readers * len(bad)

    await until(all_there, 20, "the dead letters")
    letters = await _letters(pipeline, topic, key)
    assert good["status"] == "COMPLETED"
    assert all(headers["dlq-reason"] for headers in letters)
    assert {int(headers["dlq-partition"]) for headers in letters} == {right}


async def test_a_record_in_the_wrong_partition_is_a_dead_letter(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit()
    await pipeline.end_of(job_id)
    record = next(r for r in await pipeline.records("media.stored") if r.key == str(job_id).encode())

    wrong = (record.partition + 1) % 12
    await _produce(pipeline, "media.stored", [(record.key, record.value, wrong, list(record.headers))])
    await pipeline.settled()

    letters = [dict(r.headers) for r in await pipeline.records("dlq") if r.key == record.key]
    assert [headers["dlq-partition"] for headers in letters] == [str(wrong).encode()]
    assert b"belongs in partition" in letters[0]["dlq-reason"]


async def test_an_unreadable_record_too_large_to_carry_is_noted_and_the_rest_moves_on(pipeline: Pipeline) -> None:
    key = str(uuid4()).encode()
    await _produce(pipeline, "upload.failed", [(key, b"x" * 700_000, partition_of(key), [])], compression_type="gzip")

    good = await pipeline.end_of(await pipeline.submit())
    await pipeline.settled()

    notes = [dict(record.headers) for record in await pipeline.records("dlq") if not record.key]
    assert good["status"] == "COMPLETED"
    assert {note["dlq-topic"] for note in notes if "dlq-left-out-bytes" in note} == {b"upload.failed"}


async def _produce(
    pipeline: Pipeline, topic: str, records: list[tuple[bytes | None, bytes | None, int, Headers]], **options: Any
) -> None:
    assert topic in FACTS
    producer = AIOKafkaProducer(bootstrap_servers=pipeline.bootstrap, acks="all", max_request_size=2**20, **options)
    await producer.start()
    try:
        for key, value, partition, headers in records:
            await producer.send_and_wait(topic, value, key, partition, headers=headers)
    finally:
        await producer.stop()


async def _letters(pipeline: Pipeline, topic: str, mark: bytes) -> list[dict[str, bytes]]:
    """The notes on the dead letters of this test: the mark is somewhere in the untouched record."""
    return [
        {name: content or b"" for name, content in record.headers}
        for record in await pipeline.records("dlq")
        if dict(record.headers)["dlq-topic"] == topic.encode()
        and mark in b"|".join([record.key or b"", record.value or b"", *(c or b"" for _, c in record.headers)])
    ]
