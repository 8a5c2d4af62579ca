"""A tenant with too many jobs that are not over: refused, unless nothing would be added."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from gateway.callers import DEVELOPER, Limits
from gateway.problems import Problem
from gateway.queue_limit import FRESH, FRESH_ENOUGH_TO_REFUSE, QueueLimit
from schemas.identity import job_id_of
from tests.fakes import Log
from tests.unit.gateway.buckets import Buckets, Clock
from tests.unit.gateway.http import calling

JOB = {"model": "m", "prompt": "p"}


async def test_a_full_queue_takes_no_more_jobs_and_publishes_none() -> None:
    log = Log()
    async with calling(log, limits=Buckets(waiting=3), jobs_queued=5) as client:
        answers = [await client.post("/api/v1/generate", json=JOB) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[-1].json()["type"] == "urn:darkroom:problem:queue-full"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert len(log.records) == 2


async def test_a_job_that_was_accepted_before_may_be_sent_again_although_the_queue_is_full() -> None:
    log, known = Log(), job_id_of("dev", "order-1")
    async with calling(log, limits=Buckets(waiting=5, known=known), jobs_queued=5) as client:
        again = await client.post("/api/v1/generate", json=JOB, headers={"Idempotency-Key": "order-1"})
        other = await client.post("/api/v1/generate", json=JOB, headers={"Idempotency-Key": "order-2"})

    assert (again.status_code, other.status_code) == (202, 429)
    assert again.json()["job_id"] == str(known)


async def test_a_body_that_is_wrong_takes_no_place() -> None:
    buckets = Buckets(waiting=4)
    async with calling(limits=buckets, jobs_queued=5) as client:
        wrong = [await client.post("/api/v1/generate", json={}) for _ in range(3)]
        right = await client.post("/api/v1/generate", json=JOB)

    assert {answer.status_code for answer in wrong} == {422}
    assert right.status_code == 202


async def test_nobody_waits_for_a_count_twice_a_second_and_nobody_is_refused_by_an_old_one() -> None:
    clock = Clock()
    buckets = Buckets(clock, waiting=1)
    queue = QueueLimit(buckets, 3, clock)
    for _ in range(2):
        await queue.admit(DEVELOPER, None)
    assert buckets.counts == 1

    clock.at += FRESH_ENOUGH_TO_REFUSE + 0.01
    buckets.jobs_waiting = 2  # one of the three is over
    await queue.admit(DEVELOPER, None)

    assert buckets.counts == 2
    with pytest.raises(Problem, match="3 jobs are not done"):
        await queue.admit(DEVELOPER, None)
    assert buckets.counts == 2


async def test_an_old_count_that_lets_in_is_renewed_beside_the_request() -> None:
    clock = Clock()
    buckets = Buckets(clock, waiting=0)
    queue = QueueLimit(buckets, 3, clock)
    await queue.admit(DEVELOPER, None)

    clock.at += FRESH + 0.01
    buckets.jobs_waiting = 3
    await queue.admit(DEVELOPER, None)
    await asyncio.sleep(0)

    assert buckets.counts == 2
    with pytest.raises(Problem):
        await queue.admit(DEVELOPER, None)


@pytest.mark.parametrize("fault", [ConnectionRefusedError(), asyncpg.InsufficientPrivilegeError()])
async def test_without_the_job_store_every_job_is_let_in(fault: Exception) -> None:
    buckets = Buckets(waiting=10)
    buckets.fault = fault
    queue = QueueLimit(buckets, 3)

    for _ in range(10):
        await queue.admit(DEVELOPER, None)


async def test_tenants_have_queues_and_limits_of_their_own() -> None:
    queue = QueueLimit(Buckets(waiting=4), 5)

    await queue.admit(replace(DEVELOPER, limits=Limits(jobs_queued=6)), None)
    await queue.admit(replace(DEVELOPER, tenant="acme"), None)

    with pytest.raises(Problem):
        await queue.admit(replace(DEVELOPER, tenant="acme"), None)


async def test_without_a_limit_nothing_is_counted() -> None:
    buckets = Buckets(waiting=4)

    await QueueLimit(buckets, 0).admit(DEVELOPER, None)

    assert buckets.counts == 0
