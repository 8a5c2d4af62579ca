"""Any service may die at any moment: nothing is lost, and nothing is said twice with two meanings."""

import asyncio
from collections import defaultdict

import pytest

from schemas.events import FACTS
from schemas.wire import Position, UnreadableRecordError, decode
from tests.pipeline.driver import Pipeline

JOBS = 50
SAID_FROM_OUTSIDE = {"job.requested", "cancel.requested", "retry.requested", "provider.called_back", "data.removed"}


@pytest.mark.parametrize("service", ["generator-1", "uploader-1", "ledger-1", "gateway"])
async def test_a_service_killed_in_the_middle_of_fifty_jobs_loses_nothing(pipeline: Pipeline, service: str) -> None:
    before = len(await pipeline.objects())
    ids = []
    for number in range(JOBS):
        key = f"{service}-{number}"
        ids.append(
            await pipeline.submit(
                key=key, num_outputs=2, prompt=f"desert {number}", input={"fail_attempts": number % 2}
            )
        )
        if number in (JOBS // 3, 2 * JOBS // 3):
            await pipeline.stack.kill(service)
            await pipeline.stack.start(service)

    jobs = [await pipeline.end_of(job_id) for job_id in ids]
    await pipeline.settled()

    assert {job["status"] for job in jobs} == {"COMPLETED"}
    assert len(await pipeline.objects()) == before + 2 * JOBS
    await assert_every_fact_has_one_meaning(pipeline)
    await assert_every_job_was_told_once(pipeline, {str(job_id) for job_id in ids})


async def test_all_services_killed_at_once_lose_nothing(pipeline: Pipeline) -> None:
    ids = [await pipeline.submit(num_outputs=2, prompt=f"sea {number}") for number in range(JOBS)]

    services = ("generator-1", "generator-2", "uploader-1", "uploader-2", "ledger-1", "gateway")
    await asyncio.gather(*(pipeline.stack.kill(service) for service in services))
    await asyncio.gather(*(pipeline.stack.start(service) for service in services))

    assert {(await pipeline.end_of(job_id))["status"] for job_id in ids} == {"COMPLETED"}
    await pipeline.settled()
    await assert_every_fact_has_one_meaning(pipeline)


async def assert_every_fact_has_one_meaning(pipeline: Pipeline) -> None:
    """Records with one event id are copies of each other, to the byte. Those that say no fact do not count.

    Nor does what people and providers say: sending it again says it again, with the time of that; the first wins.
    """
    meanings = defaultdict(set)
    for record in await pipeline.records(*(FACTS.keys() - SAID_FROM_OUTSIDE)):
        try:
            fact = decode(Position(record.topic, record.partition, record.offset), record.key, record.value)
        except UnreadableRecordError:
            continue
        meanings[fact.event_id].add((record.topic, record.value))
    assert [event_id for event_id, said in meanings.items() if len(said) > 1] == []


async def assert_every_job_was_told_once(pipeline: Pipeline, ids: set[str]) -> None:
    """One distinct job.completed each."""
    told = defaultdict(set)
    for record in await pipeline.records("job.completed"):
        told[(record.key or b"").decode()].add(record.value)
    assert {job_id: len(told[job_id]) for job_id in ids} == dict.fromkeys(ids, 1)
