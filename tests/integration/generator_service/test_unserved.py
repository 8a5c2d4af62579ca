"""Calls planned for a provider that no generator has, on a real PostgreSQL: they end, and nothing else does."""

from datetime import timedelta

import pytest

from generator_service.accounts import lock_account, write_account
from generator_service.allowance import Limits
from generator_service.sweeping import UNSERVED_FOR
from schemas.events import GenerationFailed, JobRequested
from stage.database import Pool
from tests.integration.generator_service.pretend import KINDS, Luck, Pretender, Reply
from tests.integration.generator_service.processes import LEASE, Death, Process
from tests.integration.generator_service.scene import ROUTES, Scene, one_job

KIND = KINDS["does nothing for us"]
SOON, LATE = UNSERVED_FOR - timedelta(seconds=1), UNSERVED_FOR + timedelta(seconds=1)


@pytest.fixture
async def scene(pool: Pool) -> Scene:
    """One call for a provider that only other processes know."""
    return await one_job(pool, "does nothing for us")


def a_stranger(scene: Scene) -> Process:
    """A process whose settings name another provider."""
    return Process(scene.pool, "generator-2", Pretender("other", scene.world, KIND), ROUTES, lambda: scene.now)


async def failures(scene: Scene) -> list[tuple[str, bool]]:
    await scene.check()
    return [(fact.code, fact.final) for fact in scene.facts if isinstance(fact, GenerationFailed)]


async def test_a_call_for_a_provider_that_nobody_has_ends_as_unavailable(scene: Scene) -> None:
    scene.now += LATE
    await a_stranger(scene).sweep()

    assert await failures(scene) == [("provider_unavailable", True)]
    assert (scene.states, scene.world.accepted) == (["FAILED"], [])


async def test_other_replicas_are_given_the_time_of_a_rolling_change(scene: Scene) -> None:
    scene.now += SOON
    await a_stranger(scene).sweep()

    assert (scene.states, await failures(scene)) == (["PENDING"], [])
    await scene.end_well()
    assert scene.states == ["SUCCEEDED"]


async def test_a_call_that_waits_behind_a_limit_of_a_known_provider_is_left_alone(scene: Scene) -> None:
    await scene.work(Luck(reply=Reply.THROTTLED))
    await scene.brake(paused=True)

    scene.now += 2 * UNSERVED_FOR
    await scene.beat(scene.processes[0])

    assert (scene.states, await failures(scene)) == (["PENDING"], [])


async def test_a_call_that_another_replica_serves_is_not_ended_by_one_that_cannot(scene: Scene) -> None:
    """It waits in a long queue, in the middle of a rolling change: only one of the two knows its provider."""
    scene.now += LATE
    async with scene.pool.acquire() as connection, connection.transaction():
        limits = Limits(per_minute=600)  # as the one that serves it does each time that it looks for calls to make
        await write_account(connection, await lock_account(connection, "paid", limits, scene.now))
    scene.now += SOON
    await a_stranger(scene).sweep()
    assert await failures(scene) == []

    scene.now += LATE
    await a_stranger(scene).sweep()
    assert await failures(scene) == [("provider_unavailable", True)]


async def test_a_call_of_a_paused_provider_waits_for_it(scene: Scene) -> None:
    """Nobody asks its account meanwhile, so nobody can say that it is gone."""
    await scene.brake(paused=True)
    scene.now += LATE
    await a_stranger(scene).sweep()

    assert (scene.states, await failures(scene)) == (["PENDING"], [])


async def test_a_call_that_may_have_been_heard_is_left_alone(scene: Scene) -> None:
    """Only those who know its provider can find out."""
    await scene.work(Luck(reply=Reply.ACCEPTED_AND_LOST))

    scene.now += LATE
    await a_stranger(scene).sweep()

    assert (scene.states, await failures(scene)) == (["IN_DOUBT"], [])


async def test_new_calls_are_not_ended_with_old_ones(scene: Scene) -> None:
    scene.now += LATE
    scene.request("nobody/knows")
    await scene.hear(JobRequested.topic)
    await a_stranger(scene).sweep()

    await scene.look()
    assert scene.states == ["FAILED", "PENDING"]


async def test_a_call_that_was_asked_of_a_provider_that_nobody_has_any_more_comes_to_its_end(scene: Scene) -> None:
    """Held for people and given up, without anybody to ask."""
    await scene.work(Luck(reply=Reply.ACCEPTED_AND_LOST))
    seen = []

    for _ in range(4):
        scene.now += timedelta(hours=25)
        await scene.beat(a_stranger(scene))
        seen += scene.states

    assert seen == ["HELD", "FAILED", "FAILED", "FAILED"]
    assert await failures(scene) == [("outcome_unknown", True)]


async def test_a_call_that_is_due_is_left_to_those_who_know_its_provider(scene: Scene) -> None:
    """In the middle of a rolling change the others would ask it; one that cannot knows nothing but that it is lost."""
    await scene.die(scene.processes[0], Death.CLAIMED)
    scene.now += LEASE + SOON
    await scene.beat(a_stranger(scene))
    assert scene.states == ["INTENT"]

    scene.now += LATE - SOON
    await scene.beat(a_stranger(scene))
    assert scene.states == ["IN_DOUBT"]
