"""What the search for crashes has found, step by step, so that it stays found."""

from collections import deque
from datetime import timedelta

import pytest

from schemas.events import CancelRequested, JobRequested, RetryRequested
from stage.database import Pool
from tests.integration.generator_service.pretend import Fate, Luck, Reply
from tests.integration.generator_service.processes import LEASE, Death
from tests.integration.generator_service.scene import one_job

LOST = Luck(reply=Reply.LOST)
ACCEPTED_AND_LOST = Luck(reply=Reply.ACCEPTED_AND_LOST)
REFUSED_FOR_NOW = Luck(reply=Reply.REFUSED_FOR_NOW)


@pytest.mark.parametrize("kind", ["takes our id", "takes a key"])
@pytest.mark.parametrize("refusal", [Reply.REFUSED_FOR_NOW, Reply.REFUSED, Reply.THROTTLED, Reply.NOT_SENT])
async def test_a_repeat_that_is_refused_says_nothing_of_the_first_asking(
    pool: Pool, kind: str, refusal: Reply
) -> None:  # fmt: skip
    """It became a new attempt under a new id, and was paid for twice."""
    scene = await one_job(pool, kind)

    await scene.work(ACCEPTED_AND_LOST)
    for _ in range(3):
        await scene.work(Luck(reply=refusal))
    await scene.end_well()

    assert len(scene.world.accepted) == 1
    assert scene.states == ["SUCCEEDED"]


@pytest.mark.parametrize("kind", ["takes our id", "takes a key"])
async def test_a_call_that_is_lost_twice_is_doubted_in_the_same_words(pool: Pool, kind: str) -> None:
    """Each loss said the doubt of the same attempt, with a cause of its own."""
    scene = await one_job(pool, kind)

    await scene.work(ACCEPTED_AND_LOST)
    await scene.work(LOST)

    await scene.check()


async def test_a_call_that_was_ended_meanwhile_is_not_brought_back_by_a_repeated_record(pool: Pool) -> None:
    """A commit whose answer is lost is repeated: a sweep had ended the call in between, and it was to make again."""
    scene = await one_job(pool, "does nothing for us")
    scene.cancel(scene.requests[0])
    process = scene.processes[0]

    scene.world.lucks = deque([REFUSED_FOR_NOW])
    await scene.seen(process.claim(1))
    await process.ask()
    await scene.seen(process.record())
    await scene.hear(CancelRequested.topic)
    await scene.seen(scene.processes[1].sweep())
    await scene.seen(process.record_again())

    assert scene.states == ["FAILED"]
    await scene.end_well()


async def test_a_call_given_up_does_not_stand_for_a_later_one_that_may_have_been_heard(pool: Pool) -> None:
    """A retry asked anew, and its answer was lost too. Then the first call showed up, and had failed: it was taken for
    the second one, and a third was paid for while the second ran.
    """
    scene = await one_job(pool, "calls back")
    job = scene.requests[0]

    await scene.work(Luck(reply=Reply.ACCEPTED_AND_LOST, fate=Fate.BROKEN))
    await scene.seen(scene.operations.give_up(await scene.work_until_held(LOST), scene.now))
    scene.retry(job, [0])
    await scene.hear(RetryRequested.topic)
    await scene.work(LOST)  # looked for, and not found
    await scene.work(Luck(reply=Reply.ACCEPTED_AND_LOST, seconds=300))
    await scene.ring(scene.world.accepted[0], "failed")
    await scene.end_well()

    assert len(scene.world.accepted) == 2


async def test_a_late_request_of_a_process_that_overslept_is_not_sent(pool: Pool) -> None:
    scene = await one_job(pool, "takes our id")
    sleeper, other = scene.processes

    await scene.seen(sleeper.claim(1))
    scene.now += LEASE + timedelta(seconds=1)
    scene.world.lucks = deque([LOST])
    await scene.beat(other)
    await sleeper.ask()

    assert scene.world.accepted == []
    await scene.end_well()


async def test_a_failed_call_in_the_list_is_not_taken_for_the_lost_one_while_it_may_be_a_twins(pool: Pool) -> None:
    """A twin's call had failed, and its maker had not recorded that yet. The lost call's look took it, saw it fail, and
    paid again while the lost call ran.
    """
    scene = await one_job(pool, "lists and calls back", alike=True)
    maker = scene.processes[0]

    scene.world.lucks = deque([Luck(fate=Fate.BROKEN)])
    await scene.seen(maker.claim(1))
    await maker.ask()
    scene.request("nobody/knows", alike=True)
    await scene.hear(JobRequested.topic)
    await scene.work(Luck(reply=Reply.ACCEPTED_AND_LOST, seconds=3000), who=1)
    await scene.work(Luck(), who=1)
    await scene.seen(maker.record())
    for _ in range(6):
        await scene.work(Luck(seconds=3000))

    assert sum(not call.failed(scene.now) for call in scene.world.accepted) == 2
    await scene.end_well()


async def test_a_call_that_shows_up_between_its_end_and_the_retry_is_the_retrys(pool: Pool) -> None:
    """It was forgotten, and paid for again."""
    scene = await one_job(pool, "calls back")

    await scene.work(Luck(reply=Reply.ACCEPTED_AND_LOST))
    await scene.seen(scene.operations.give_up(await scene.work_until_held(Luck()), scene.now))
    await scene.ring(scene.world.accepted[0], "succeeded")
    scene.retry(scene.requests[0], [0])
    await scene.hear(RetryRequested.topic)
    await scene.end_well()

    assert len(scene.world.accepted) == 1
    assert scene.states == ["FAILED", "SUCCEEDED"]


async def test_a_doubt_is_said_although_whoever_looked_first_died_before_saying_it(pool: Pool) -> None:
    scene = await one_job(pool, "takes our id")
    scene.world.lucks = deque([LOST])

    await scene.die(scene.processes[0], Death.CLAIMED)
    await scene.die(scene.processes[1], Death.ASKED)
    for _ in range(2):
        await scene.work(LOST)

    assert "generation.doubted" in {fact.topic for fact in await scene.read_facts()}
    await scene.check()


async def test_a_call_that_a_twin_has_had_and_left_meanwhile_is_not_adopted(pool: Pool) -> None:
    """The look was slow: it saw the twin's call run, the twin recorded that it failed, and the look took it all the
    same. It was found to have failed, and paid for again while the lost call ran.
    """
    scene = await one_job(pool, "lists and calls back", alike=True)
    slow, twin = scene.processes
    await scene.work(Luck(reply=Reply.ACCEPTED_AND_LOST, seconds=3_000, lag=40))
    scene.request("nobody/knows", alike=True)
    await scene.hear(JobRequested.topic)
    scene.world.lucks = deque([Luck(seconds=15, fate=Fate.BROKEN)])
    await scene.seen(twin.claim(1))
    await scene.seen(twin.ask())

    scene.now += timedelta(seconds=8)
    await scene.seen(slow.claim(10))
    await slow.ask()
    assert [verdict.provider_id for verdict in slow.verdicts] == ["paid-1"]
    await scene.seen(twin.record())
    scene.now += timedelta(seconds=8)
    await scene.beat(twin)
    await scene.seen(slow.record())
    for _ in range(6):
        await scene.work(Luck(seconds=3_000))

    assert sum(not call.failed(scene.now) for call in scene.world.accepted) == 2
    await scene.end_well()


@pytest.mark.parametrize("failed", [2, 1])
async def test_a_lost_call_that_failed_is_tried_again_once_no_twin_can_claim_that_failure(
    pool: Pool, failed: int
) -> None:  # fmt: skip
    """Each of two alike misses its call. Two that failed are one each; one may be either's, so both wait for people."""
    scene = await one_job(pool, "lists and calls back", alike=True)
    scene.request("nobody/knows", alike=True)
    await scene.hear(JobRequested.topic)
    scene.world.lucks = deque(
        [Luck(reply=Reply.ACCEPTED_AND_LOST, fate=Fate.BROKEN), Luck(reply=Reply.ACCEPTED_AND_LOST, lag=3_000)]
        if failed == 1
        else [Luck(reply=Reply.ACCEPTED_AND_LOST, fate=Fate.BROKEN)]
    )
    await scene.beat(scene.processes[0])

    for _ in range(12):
        await scene.work(Luck())

    assert scene.states == (["SUCCEEDED", "SUCCEEDED"] if failed == 2 else ["FAILED", "FAILED"])
    await scene.end_well()
    assert len(scene.world.accepted) == 2 * failed
