"""Calls that we hear of by another road than their answer, on a real PostgreSQL: adopted, or stopped."""

import asyncio
from collections import deque
from datetime import timedelta

import pytest

from generator_service.operations import Done, Settled
from schemas.events import CancelRequested, GenerationSubmitted, RetryRequested
from stage.database import Pool
from tests.integration.generator_service.pretend import Accepted, Fate, Luck, Reply
from tests.integration.generator_service.processes import LEASE, Death, Process
from tests.integration.generator_service.scene import Scene, one_job

LISTS, CALLS_BACK = "lists and calls back", "calls back"
DEAF = Luck(deaf=True)
UNHEARD = Luck(reply=Reply.ACCEPTED_AND_LOST, seconds=300, deaf=True)
RUNS = Luck(seconds=300)


async def submitted(scene: Scene) -> list[str]:
    await scene.check()
    return [fact.provider_id for fact in scene.facts if isinstance(fact, GenerationSubmitted)]


async def cancel_dues(scene: Scene) -> list[bool]:
    """Of calls that nobody needs: whether each is still to be stopped."""
    return [row["cancel_due_at"] is not None for row in await scene.former_calls()]


def accepted_too(scene: Scene, luck: Luck = RUNS) -> Accepted:
    """A second call for the same attempt, which nobody can have asked for but a process that woke up too late."""
    first = scene.world.accepted[0]
    second = Accepted("second", "paid", first.call, scene.now, luck)
    scene.world.accepted.append(second)
    return second


async def overslept(pool: Pool, luck: Luck) -> tuple[Scene, Process]:
    """A call, and who has its answer: another process has taken the claim over, and believes that the call is lost."""
    scene = await one_job(pool, "does nothing for us")
    sleeper, other = scene.processes
    scene.world.lucks = deque([luck])
    await scene.seen(sleeper.claim(1))
    await sleeper.ask()
    scene.now += LEASE
    await scene.beat(other)
    assert scene.states == ["IN_DOUBT"]
    return scene, sleeper


async def lost(pool: Pool, state: str) -> Scene:
    """A call that was accepted, and whose answer was lost before its row came to `state`."""
    scene = await one_job(pool, CALLS_BACK)
    if state == "INTENT":
        scene.world.lucks = deque([UNHEARD])
        await scene.die(scene.processes[0], Death.ASKED)
    else:
        await scene.work(UNHEARD)
    if state == "HELD":
        await scene.work_until_held(DEAF)
    assert scene.states == [state]
    return scene


@pytest.mark.parametrize("state", ["INTENT", "IN_DOUBT", "HELD"])
async def test_a_lost_call_is_adopted_as_soon_as_its_provider_calls_back(pool: Pool, state: str) -> None:
    scene = await lost(pool, state)

    for _ in range(2):
        await scene.ring(scene.world.accepted[0], "starting")

    assert (scene.states, await submitted(scene)) == (["SUBMITTED"], ["paid-0"])
    await scene.end_well()
    assert (scene.states, len(scene.world.accepted)) == (["SUCCEEDED"], 1)


async def test_a_call_that_was_said_to_be_refused_is_adopted_before_another_one_is_made(pool: Pool) -> None:
    scene = await one_job(pool, CALLS_BACK)
    scene.world.lucks = deque([UNHEARD])
    process = scene.processes[0]
    await scene.seen(process.claim(1))
    await process.ask()
    scene.world.lucks = deque([Luck(reply=Reply.REFUSED_FOR_NOW)])
    [unknown] = process.verdicts
    process.verdicts = [await process.worker.make(unknown.claim)]
    await scene.seen(process.record())
    assert scene.states == ["PENDING"]

    await scene.ring(scene.world.accepted[0], "starting")

    assert (scene.states, await submitted(scene)) == (["SUBMITTED"], ["paid-0"])
    await scene.end_well()
    assert len(scene.world.accepted) == 1


async def test_an_answer_that_comes_after_its_claim_was_taken_over_still_names_the_call(pool: Pool) -> None:
    scene, sleeper = await overslept(pool, RUNS)

    await scene.seen(sleeper.record())

    assert (scene.states, await submitted(scene)) == (["SUBMITTED"], ["paid-0"])
    await scene.end_well()
    assert (scene.states, len(scene.world.accepted)) == (["SUCCEEDED"], 1)


@pytest.mark.parametrize(("fate", "state"), [(Fate.MADE, "SUCCEEDED"), (Fate.BROKEN, "PENDING")])
async def test_an_answer_that_comes_late_and_says_how_the_call_ended_is_believed(
    pool: Pool, fate: Fate, state: str
) -> None:  # fmt: skip
    """The call was looked at for ever where its provider answers once and keeps nothing."""
    scene, sleeper = await overslept(pool, Luck(fate=fate))

    await scene.seen(sleeper.record())
    await scene.seen(sleeper.record_again())

    assert (scene.states, await submitted(scene)) == ([state], ["paid-0", "paid-0"])  # said twice, it is the same fact
    await scene.end_well()


async def test_an_adoption_takes_the_call_from_whoever_works_on_it(pool: Pool) -> None:
    """A look that found nothing is recorded after the callback that named the call."""
    scene = await lost(pool, "IN_DOUBT")
    process = scene.processes[0]
    scene.now += timedelta(seconds=30)
    await scene.seen(process.claim(1))
    await process.ask()
    await scene.ring(scene.world.accepted[0], "starting")

    await scene.seen(process.record())

    assert (scene.states, await submitted(scene)) == (["SUBMITTED"], ["paid-0"])


async def test_a_second_call_is_stopped_and_asked_about_until_it_is_over(pool: Pool) -> None:
    scene = await one_job(pool, LISTS)
    await scene.work(RUNS)
    second = accepted_too(scene)

    await scene.ring(second, "starting")
    process = scene.processes[0]
    scene.world.lucks = deque([DEAF])
    await process.stop_duplicates()
    assert await cancel_dues(scene) == [True]

    scene.world.lucks = deque([Luck()])
    await process.stop_duplicates()
    assert not second.over(scene.now)  # it was asked a moment ago

    scene.now += timedelta(seconds=31)
    await process.stop_duplicates()

    assert (second.stopped_at, await cancel_dues(scene)) == (scene.now, [False])
    await scene.ring(second, "failed")
    assert (scene.states, await cancel_dues(scene)) == (["SUBMITTED"], [False])


async def test_a_second_call_is_never_taken_for_a_lost_one_with_the_same_input(pool: Pool) -> None:
    scene = await one_job(pool, LISTS, alike=True)
    await scene.work(RUNS)
    second = accepted_too(scene)
    await scene.ring(second, "starting")

    scene.request("nobody/knows", alike=True)
    await scene.hear("job.requested")
    await scene.work(Luck(reply=Reply.LOST))
    await scene.work_until_held(Luck())

    assert "second" not in {row["provider_id"] for row in scene.rows.values()}
    assert scene.states[-1] == "HELD"


@pytest.mark.parametrize("braked", [False, True])
async def test_a_call_given_up_that_shows_up_while_a_retry_looks_for_it_is_the_retrys(
    pool: Pool, braked: bool
) -> None:  # fmt: skip
    """Before the retry pays again, whether it still looks or only waits for its turn."""
    scene = await one_job(pool, CALLS_BACK if braked else LISTS)
    await scene.work(Luck(reply=Reply.ACCEPTED_AND_LOST, seconds=3_000, lag=3_000))
    await scene.seen(scene.operations.give_up(await scene.work_until_held(Luck()), scene.now))
    await scene.brake(paused=True)
    scene.retry(scene.requests[0], [0])
    await scene.hear(RetryRequested.topic)
    await scene.work(DEAF)
    assert scene.states == ["FAILED", "PENDING" if braked else "IN_DOUBT"]

    await scene.ring(scene.world.accepted[0], "starting")

    assert (scene.states, await submitted(scene)) == (["FAILED", "SUBMITTED"], ["paid-0"])
    await scene.end_well()
    assert (scene.states, len(scene.world.accepted)) == (["FAILED", "SUCCEEDED"], 1)


async def test_a_retry_finds_the_call_given_up_in_the_list_and_pays_nothing(pool: Pool) -> None:
    scene = await one_job(pool, LISTS)
    await scene.work(Luck(reply=Reply.ACCEPTED_AND_LOST, lag=3_000))
    await scene.seen(scene.operations.give_up(await scene.work_until_held(Luck()), scene.now))
    scene.now += timedelta(seconds=3_000)

    scene.retry(scene.requests[0], [0])
    await scene.hear(RetryRequested.topic)
    await scene.end_well()

    assert (scene.states, len(scene.world.accepted)) == (["FAILED", "SUCCEEDED"], 1)


async def given_up_and_retried(pool: Pool) -> Scene:
    """A call was accepted and given up as lost, and a retry looks for it."""
    scene = await one_job(pool, CALLS_BACK)
    await scene.work(Luck(reply=Reply.ACCEPTED_AND_LOST, seconds=3_000))
    await scene.seen(scene.operations.give_up(await scene.work_until_held(Luck()), scene.now))
    scene.retry(scene.requests[0], [0])
    await scene.hear(RetryRequested.topic)
    return scene


async def test_a_call_given_up_that_shows_up_after_the_retrys_own_call_failed_is_the_retrys_next_attempt(
    pool: Pool,
) -> None:
    """It was stopped as a duplicate, and a third call was paid for."""
    scene = await given_up_and_retried(pool)
    await scene.work(Luck())
    await scene.work(Luck(fate=Fate.BROKEN))
    assert scene.states == ["FAILED", "PENDING"]

    await scene.ring(scene.world.accepted[0], "starting")

    assert (scene.states, await submitted(scene)) == (["FAILED", "SUBMITTED"], ["paid-1", "paid-0"])
    await scene.end_well()
    assert (scene.states, len(scene.world.accepted)) == (["FAILED", "SUCCEEDED"], 2)


@pytest.mark.parametrize("shows_up", ["after the cancel", "after the second retry"])
async def test_a_retry_that_was_cancelled_before_it_asked_leaves_the_lost_call_to_the_next_retry(
    pool: Pool, shows_up: str
) -> None:  # fmt: skip
    scene = await given_up_and_retried(pool)
    await scene.brake(paused=True)
    await scene.work(Luck())
    scene.cancel(scene.requests[0])
    await scene.hear(CancelRequested.topic)
    await scene.work(Luck())
    assert scene.states == ["FAILED", "FAILED"]

    if shows_up == "after the cancel":
        await scene.ring(scene.world.accepted[0], "starting")
    scene.retry(scene.requests[0], [0])
    await scene.hear(RetryRequested.topic)
    if shows_up == "after the second retry":
        await scene.ring(scene.world.accepted[0], "starting")
    await scene.end_well()

    assert (scene.states, len(scene.world.accepted)) == (["FAILED", "FAILED", "SUCCEEDED"], 1)


@pytest.mark.parametrize("nonsense", ["", "https://replicate.com/p/gm3qorzdhgbfurvjtvhg6dckhu", "a b", "x" * 129])
async def test_what_cannot_be_an_id_is_not_adopted(pool: Pool, nonsense: str) -> None:
    """It was polled, not found, and the call with all that it made was over."""
    scene = await lost(pool, "HELD")

    settled = await scene.operations.adopt(scene.held()[0]["id"], nonsense, scene.now)

    assert (settled, scene.states) == (Settled(Done.NO_ID, "HELD"), ["HELD"])


@pytest.mark.parametrize(("named", "done"), [("paid-0", Done.ALREADY), ("paid-7", Done.NOT_HELD)])
async def test_an_operator_and_a_callback_at_one_time_have_one_winner(pool: Pool, named: str, done: Done) -> None:
    """The callback comes after the operator has looked and before it is written."""
    scene = await lost(pool, "HELD")
    generation = scene.held()[0]["id"]
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetchrow("SELECT FROM generations WHERE id = $1 FOR UPDATE", generation)
        operator = asyncio.create_task(scene.operations.adopt(generation, named, scene.now))
        await until_blocked(pool)
        await scene.processes[0].store.hear_of(connection, generation, 1, "paid", "paid-0", scene.now)

    assert await operator == Settled(done, "SUBMITTED")
    assert await submitted(scene) == ["paid-0"]


async def until_blocked(pool: Pool) -> None:
    """Until somebody waits for a row."""
    async with asyncio.timeout(5):
        while not await pool.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
