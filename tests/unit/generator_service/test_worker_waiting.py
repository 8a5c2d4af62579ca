"""How the worker looks at running calls: few of them one by one, many by their provider's list."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import pytest

from generator_service.boot_time import boot_time
from generator_service.calls import Call, Polled
from generator_service.claim import Claim
from generator_service.worker import ONE_BY_ONE
from tests.builders import NOON
from tests.fakes import GenerationStore
from tests.unit.generator_service.asking import FINISHED, LOST, RUNNING, Asked, a_worker, claim_in, running

TOOK = 0.1  # seconds


async def test_calls_to_look_at_come_one_by_one() -> None:
    store = GenerationStore(due=running(3))

    groups = await a_worker(store).claim_to_look_at(10)

    assert [[claim.call.provider_id for claim in group] for group in groups] == [["r-0"], ["r-1"], ["r-2"]]


@pytest.mark.parametrize(("count", "groups"), [(ONE_BY_ONE, ONE_BY_ONE), (ONE_BY_ONE + 1, 1)])
async def test_many_running_calls_of_one_provider_are_looked_at_together(count: int, groups: int) -> None:
    store = GenerationStore(due=running(count))

    assert len(await a_worker(store).claim_waiting(0)) == groups


async def test_running_calls_of_two_providers_are_never_put_together() -> None:
    many = running(ONE_BY_ONE + 1)
    store = GenerationStore(due=[*many, claim_in("SUBMITTED", provider="cog")])

    groups = await a_worker(store).claim_waiting(0)

    assert sorted((len(group), group[0].provider) for group in groups) == [(1, "cog"), (ONE_BY_ONE + 1, "fake")]


async def test_many_are_asked_about_by_list_and_what_it_does_not_show_by_its_id() -> None:
    claims = running(ONE_BY_ONE + 5)
    provider = Asked(shown={"r-0": RUNNING, "r-1": FINISHED}, poll=LOST)

    verdicts = await a_worker(GenerationStore(), provider).look(claims)

    assert [verdict.claim for verdict in verdicts] == claims
    assert [verdict.state for verdict in verdicts[:2]] == ["SUBMITTED", "SUCCEEDED"]
    assert {verdict.state for verdict in verdicts[2:]} == {"SUBMITTED"}
    assert provider.asked == ["poll_many", *["poll"] * ONE_BY_ONE]
    assert [call.provider_id for call in provider.calls] == [f"r-{n}" for n in range(2, 2 + ONE_BY_ONE)]


async def test_many_of_a_provider_that_is_not_set_up_here_are_looked_at_again_later() -> None:
    claims = running(ONE_BY_ONE + 5)

    verdicts = await a_worker(GenerationStore()).look(claims)

    assert [(verdict.state, verdict.facts) for verdict in verdicts] == [("SUBMITTED", ())] * len(claims)
    assert all(verdict.due_at is not None and verdict.due_at > NOON for verdict in verdicts)


class SlowList(Asked):
    """A provider whose list takes a while."""

    async def poll_many(self, calls: Sequence[Call], at: datetime) -> Mapping[str, Polled]:
        await asyncio.sleep(TOOK)
        return {str(call.provider_id): RUNNING for call in calls}


async def test_after_a_list_it_rests_as_long_as_that_took() -> None:
    worker = a_worker(store := GenerationStore(due=running(1)), SlowList())

    await worker.look(running(ONE_BY_ONE + 1))
    done_at = boot_time()
    groups: Sequence[list[Claim]] = []
    async with asyncio.timeout(10):
        while not groups:
            await asyncio.sleep(0.01)
            groups = await worker.claim_waiting(0)

    assert boot_time() - done_at > TOOK / 2
    assert len(store.claims) == 1
