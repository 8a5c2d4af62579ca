"""Whatever happens to the ledger and around it, afterwards it holds what the log says, and told everybody once."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer

from darkroom.local.home import make_home
from darkroom.local.ports import claim
from darkroom.local.services import service_part
from darkroom.local.stack import silent
from darkroom.local.supervisor import Supervisor
from ledger_service.handlers import TOPICS
from schemas.events import JobCompleted
from schemas.topics import DEAD_LETTERS
from tests.pipeline.driver import Pipeline, until
from tests.pipeline.ledger_check import announcements_of, assert_the_ledger_is_what_the_log_says
from tests.pipeline.test_kill import assert_every_job_was_told_once

AWAY_S = 30


async def submit(pipeline: Pipeline, count: int) -> list[UUID]:
    """So many jobs, some of them tried twice."""
    asks: list[dict[str, Any]] = [
        {"prompt": f"an oasis {number}", "num_outputs": 2, "input": {"fail_attempts": number % 2}}
        for number in range(count)
    ]
    return [job_id for n in range(0, count, 10) for job_id in await _together(pipeline, asks[n : n + 10])]


async def _together(pipeline: Pipeline, asks: list[dict[str, Any]]) -> list[UUID]:
    return await asyncio.gather(*(pipeline.submit(**ask) for ask in asks))


async def all_end_well(pipeline: Pipeline, ids: list[UUID]) -> None:
    """Every job completes, was told once, and the ledger is what the log says."""
    jobs = [await pipeline.end_of(job_id, within=120) for job_id in ids]
    await pipeline.settled()
    assert {job["status"] for job in jobs} == {"COMPLETED"}
    await assert_every_job_was_told_once(pipeline, set(map(str, ids)))
    await assert_the_ledger_is_what_the_log_says(pipeline)


@asynccontextmanager
async def a_second_ledger(pipeline: Pipeline) -> AsyncIterator[None]:
    """Another replica, within the block."""
    home = pipeline.stack.home / "second"
    make_home(home)
    supervisor = Supervisor(home, silent)
    try:
        part = service_part("ledger-2", "ledger", claim("ledger-2"), pipeline.stack.environ)
        await supervisor.start(part, 0)
        yield
    finally:
        await supervisor.stop()


@pytest.mark.usefixtures("local_servers_only")
async def test_a_ledger_that_slept_beyond_its_session_drops_what_it_had_begun(pipeline: Pipeline) -> None:
    pid = pipeline.stack.describe("ledger-1").pid
    assert pid is not None
    async with a_second_ledger(pipeline):
        async with pipeline.admin.transaction():
            await pipeline.admin.execute("LOCK TABLE ledger.outputs IN EXCLUSIVE MODE")
            ids = await submit(pipeline, 30)
            await until(lambda: folding(pipeline, "ledger-1"), 60, "the first ledger to be within a fold")
            os.kill(pid, signal.SIGSTOP)
        try:
            await cut_connections(pipeline, "ledger-1")  # what PostgreSQL would do itself after a minute
            taken_over = [await pipeline.end_of(job_id, within=120) for job_id in ids]
        finally:
            os.kill(pid, signal.SIGCONT)
        ids += await submit(pipeline, 10)
        await all_end_well(pipeline, ids)

    assert {job["status"] for job in taken_over} == {"COMPLETED"}


# After the one above, whose second ledger keeps its place in the group for half a minute.
@pytest.mark.usefixtures("local_servers_only")
async def test_postgres_away_for_half_a_minute_leaves_the_ledger_whole(pipeline: Pipeline) -> None:
    ids = await submit(pipeline, 20)
    await pipeline.stack.stop("postgres")
    ids += await submit(pipeline, 20)
    await asyncio.sleep(AWAY_S)  # the fault itself, not a wait for anything
    await pipeline.stack.start("postgres")

    async with Pipeline.reach(pipeline.stack) as reached:
        await all_end_well(reached, ids)


async def test_connections_cut_within_a_fold_leave_the_ledger_whole(pipeline: Pipeline) -> None:
    ids: list[UUID] = []
    cut = 0
    for _ in range(4):
        async with pipeline.admin.transaction():
            await pipeline.admin.execute("LOCK TABLE ledger.outputs IN EXCLUSIVE MODE")
            ids += await submit(pipeline, 5)
            await until(lambda: folding(pipeline, "ledger-1"), 30, "a fold to wait for the lock")
            cut += await cut_connections(pipeline, "ledger-1")

    assert cut >= 4
    await all_end_well(pipeline, ids)


async def folding(pipeline: Pipeline, instance: str) -> bool:
    """Whether a fold of this ledger stands still, its offsets locked and its jobs written."""
    await pipeline.admin.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees the sessions of its beginning
    return bool(
        await pipeline.admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'", instance
        )
    )


async def cut_connections(pipeline: Pipeline, instance: str) -> int:
    """End the sessions of this ledger that are within a transaction; returns how many."""
    ended = await pipeline.admin.fetch(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = $1 AND xact_start IS NOT NULL
        """,
        instance,
    )
    return len(ended)


async def test_a_ledger_killed_over_and_over_while_five_hundred_jobs_run(pipeline: Pipeline) -> None:
    submitting = asyncio.create_task(submit(pipeline, 500))
    kills = 0
    while not submitting.done() or kills < 5:
        await pipeline.stack.kill("ledger-1")
        await pipeline.stack.start("ledger-1")
        kills += 1

    await all_end_well(pipeline, await submitting)


async def test_every_topic_shuffled_and_said_again_with_copies_leaves_the_ledger_whole(pipeline: Pipeline) -> None:
    ids = await submit(pipeline, 20)
    for job_id in ids:
        await pipeline.end_of(job_id)
    await pipeline.settled()

    dice = random.Random(20)
    said = [record for record in await pipeline.records() if record.topic not in (DEAD_LETTERS, JobCompleted.topic)]
    again = [*said, *dice.sample(said, len(said) // 5)]
    dice.shuffle(again)
    await pipeline.reproduce(again)
    await pipeline.settled()

    assert await announcements_of(pipeline, ids) == dict.fromkeys(ids, 1)
    await all_end_well(pipeline, ids)


async def test_resetting_the_group_in_kafka_has_no_effect(pipeline: Pipeline) -> None:
    ids = await submit(pipeline, 10)
    for job_id in ids:
        await pipeline.end_of(job_id)
    await pipeline.settled()

    await pipeline.stack.stop("ledger-1")
    ids += await submit(pipeline, 10)
    await commit_in_kafka(pipeline, 0)
    await pipeline.stack.start("ledger-1")
    await all_end_well(pipeline, ids)

    assert await announcements_of(pipeline, ids) == dict.fromkeys(ids, 1)


async def commit_in_kafka(pipeline: Pipeline, offset: int) -> None:
    """Let Kafka believe that the ledger has read so far: as the member that has just stopped, whose place is kept."""
    consumer = AIOKafkaConsumer(
        *TOPICS, bootstrap_servers=pipeline.bootstrap, group_id="ledger", group_instance_id="ledger-1",
        enable_auto_commit=False,
    )  # fmt: skip
    async with consumer:
        await until(lambda: _assigned(consumer), 60, "a place in the group")
        await consumer.commit(dict.fromkeys(consumer.assignment(), offset))
        assert {await consumer.committed(place) for place in consumer.assignment()} == {offset}


async def _assigned(consumer: AIOKafkaConsumer) -> bool:
    return bool(consumer.assignment())
