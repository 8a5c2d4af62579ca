"""A retry that is heard before its job, on a real PostgreSQL: the topics are read side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.events import CancelRequested, Event, JobRequested, RetryRequested
from schemas.wire import Position
from stage.database import Pool
from stage.heard import Heard
from tests.integration.generator_service.pretend import KINDS
from tests.integration.generator_service.scene import Scene

KIND = KINDS["does nothing for us"]


async def planned(scene: Scene) -> list[tuple[int, str]]:
    """The calls there are: of which revision, and where they stand."""
    await scene.look()
    return sorted((row["revision"], str(row["state"])) for row in scene.rows.values())


async def waiting(pool: Pool) -> list[int]:
    """The revisions of retries that wait for their job."""
    return sorted(row["revision"] for row in await pool.fetch("SELECT revision FROM early_retries"))


async def test_a_retry_waits_for_its_job_and_is_planned_with_it(pool: Pool) -> None:
    scene = Scene(pool, KIND)
    scene.retry(scene.request("nobody/knows", 2), [1])

    await scene.hear(RetryRequested.topic)
    assert (await planned(scene), await waiting(pool)) == ([], [2])
    await scene.hear(JobRequested.topic)

    assert (await planned(scene), await waiting(pool)) == ([(1, "PENDING"), (2, "PENDING")], [])
    [again] = [row for row in scene.rows.values() if row["revision"] == 2]
    assert (again["outputs"], again["ask"]["num_outputs"]) == ([1], 1)


async def test_two_retries_are_planned_one_upon_the_other(pool: Pool) -> None:
    """The second generates again what only the first had split off: its plan is the first one's."""
    scene = Scene(pool, KIND)
    job = scene.request("nobody/knows", 2)
    scene.retry(job, [1])
    scene.retry(job, [0, 1])

    await scene.hear(RetryRequested.topic)
    assert await waiting(pool) == [2, 3]
    await scene.hear(JobRequested.topic)

    await scene.look()
    assert sorted((row["revision"], row["outputs"]) for row in scene.rows.values()) == [
        (1, [0, 1]), (2, [1]), (3, [0]), (3, [1]),
    ]  # fmt: skip


async def test_hearing_it_all_again_plans_nothing_more(pool: Pool) -> None:
    scene = Scene(pool, KIND)
    scene.retry(scene.request("nobody/knows"), [0])
    for _ in range(2):
        await scene.replay(RetryRequested.topic, 0, 1)
    await scene.hear(JobRequested.topic)
    once = await planned(scene)

    for topic in (RetryRequested.topic, JobRequested.topic, RetryRequested.topic):
        await scene.replay(topic, 0, 1)

    assert (await planned(scene), await waiting(pool)) == (once, [])


async def test_a_cancel_of_the_early_retry_is_not_forgotten(pool: Pool) -> None:
    scene = Scene(pool, KIND)
    job = scene.request("nobody/knows")
    scene.retry(job, [0])
    scene.cancel(job)

    for topic in (CancelRequested.topic, RetryRequested.topic, JobRequested.topic):
        await scene.hear(topic)
    await scene.seen(scene.processes[0].sweep())

    assert await planned(scene) == [(1, "FAILED"), (2, "FAILED")]


@pytest.mark.parametrize("first", ["the retry", "the job"])
async def test_a_retry_and_its_job_that_are_heard_in_one_moment_do_not_miss_each_other(pool: Pool, first: str) -> None:
    """Two consumers: neither sees what the other has not committed."""
    scene = Scene(pool, KIND)
    scene.retry(scene.request("nobody/knows"), [0])
    retry, job = hearing(scene, RetryRequested.topic), hearing(scene, JobRequested.topic)
    one, other = (retry, job) if first == "the retry" else (job, retry)

    async with one, other:
        pass
    assert (await planned(scene), await waiting(pool)) == ([(1, "PENDING")], [2])
    for process in scene.processes:
        await process.sweep()

    assert (await planned(scene), await waiting(pool)) == ([(1, "PENDING"), (2, "PENDING")], [])


@asynccontextmanager
async def hearing(scene: Scene, topic: str) -> AsyncIterator[None]:
    """A batch that is heard, and committed at the end."""
    batch: list[Event] = scene.log[topic]
    async with scene.pool.acquire() as connection, connection.transaction():
        await scene.processes[0].handlers.hear(connection, [Heard(Position(topic, 0, 0), each) for each in batch])
        yield
