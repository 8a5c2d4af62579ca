"""Replicate's list: how many are looked at, and how a lost one is found."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from darkroom.simulators.faults import Fault
from darkroom.simulators.replicate.faults import (
    Delay,
    DropAnswer,
    Fail,
    GatewayError,
    Refuse,
    RemoveAfter,
    RenameModel,
    Throttle,
    TimeDigits,
    Unlisted,
)  # fmt: skip
from generator_service.calls import Candidates, Failed, Finished, Running, Unknown
from generator_service.errors import Code
from tests.contract.bench import submitted
from tests.contract.benches import ReplicateBench, accepted, replicate_bench

MODEL = "stability-ai/sdxl"
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
async def bench() -> AsyncIterator[ReplicateBench]:
    async with replicate_bench() as standing:
        yield standing


@pytest.mark.parametrize("fault", [GatewayError(on="get"), DropAnswer(on="get"), Refuse(on="get", status=401)])
async def test_a_look_that_is_not_answered_says_nothing_about_the_call(bench: ReplicateBench, fault: Fault) -> None:
    call = await accepted(bench, fault)

    assert isinstance(await bench.provider.poll(call, bench.now()), Unknown)


async def test_a_throttled_look_waits_as_long_as_it_is_told_and_is_not_repeated(bench: ReplicateBench) -> None:
    call = await accepted(bench, Throttle(on="get", seconds=9))
    at = bench.now()

    assert await bench.provider.poll(call, at) == Running(call.provider_id or "", at + timedelta(seconds=9))
    assert bench.simulator.faults()[0]["seen"] == 1  # the client itself would try ten times


async def test_a_call_that_is_not_there_is_only_gone_once_its_output_would_be(bench: ReplicateBench) -> None:
    call = submitted(bench.call(), "a" * 26, bench.now())

    assert isinstance(await bench.provider.poll(call, bench.now()), Unknown)
    gone = await bench.provider.poll(call, bench.now() + timedelta(hours=2))
    assert isinstance(gone, Failed)
    assert gone.code == Code.NOT_FOUND


async def test_many_are_looked_at_by_pages_and_only_as_far_back_as_needed() -> None:
    async with replicate_bench(page_size=3) as bench:
        for seed in range(4):
            await accepted(bench, seed=seed)
        bench.simulator.advance(600)
        calls = [await accepted(bench, seed=10 + seed) for seed in range(7)]
        bench.simulator.use(Fail(on="create"), Delay(on="list", seconds=0))
        bench.simulator.advance(1)

        seen = await bench.provider.poll_many(calls[:6], bench.now())

        assert seen.keys() == {call.provider_id for call in calls[:6]}
        assert all(isinstance(outcome, Finished) for outcome in seen.values())
        assert bench.simulator.faults()[1]["seen"] == 3  # pages of three: the newest is not among the six


async def test_what_the_list_does_not_show_is_left_out(bench: ReplicateBench) -> None:
    hidden = await accepted(bench, Unlisted(seconds=600), seed=1)
    shown = await accepted(bench, seed=2)

    assert (await bench.provider.poll_many([hidden, shown], bench.now())).keys() == {shown.provider_id}


async def test_a_list_that_is_not_given_says_nothing_about_any_call(bench: ReplicateBench) -> None:
    call = await accepted(bench, GatewayError(on="list"))
    assert isinstance((await bench.provider.poll_many([call], bench.now()))[call.provider_id or ""], Unknown)

    bench.simulator.use(Throttle(on="list", seconds=4))
    at = bench.now()
    throttled = await bench.provider.poll_many([call], at)
    assert throttled == {call.provider_id: Running(call.provider_id or "", at + timedelta(seconds=4))}


async def test_a_list_that_is_not_there_does_not_mean_that_old_calls_are_gone(bench: ReplicateBench) -> None:
    call = await accepted(bench, Refuse(on="list", status=404))
    assert call.provider_id is not None

    seen = await bench.provider.poll_many([call], bench.now() + timedelta(hours=2))

    assert isinstance(seen[call.provider_id], Unknown)


async def test_several_identical_calls_are_all_found_the_oldest_first(bench: ReplicateBench) -> None:
    before = bench.now()
    ids = []
    for _ in range(3):
        ids.append((await accepted(bench, TimeDigits(digits=9))).provider_id)
        bench.simulator.advance(2)

    found = await bench.provider.find(bench.call(intent_at=before), bench.now())

    assert found == Candidates(tuple(ids), complete=True)  # type: ignore[arg-type]


async def test_the_list_is_read_back_to_a_minute_before_the_intent_and_no_further() -> None:
    async with replicate_bench(page_size=2) as bench:
        await accepted(bench)
        bench.simulator.advance(61)
        intent = bench.now()
        others = [await accepted(bench, seed=seed) for seed in range(100, 105)]
        lost = await accepted(bench)
        assert lost.provider_id not in {call.provider_id for call in others}

        found = await bench.provider.find(bench.call(intent_at=intent), bench.now())

        assert found == Candidates((lost.provider_id or "",), complete=True)


async def test_a_provider_whose_clock_is_slow_still_shows_the_call(bench: ReplicateBench) -> None:
    lost = await accepted(bench)

    found = await bench.provider.find(bench.call(intent_at=bench.now() + timedelta(seconds=50)), bench.now())

    assert found == Candidates((lost.provider_id or "",), complete=True)


async def test_the_same_input_for_another_model_is_not_ours(bench: ReplicateBench) -> None:
    before = bench.now()
    await accepted(bench, model="black-forest-labs/flux-1.1-pro")

    found = await bench.provider.find(bench.call(intent_at=before), bench.now())

    assert found == Candidates((), complete=True)


async def test_a_model_under_a_name_that_was_seen_before_is_found(bench: ReplicateBench) -> None:
    before = bench.now()
    await accepted(bench, RenameModel(to="replicate/renamed"), seed=1)
    call = bench.call(seed=2, intent_at=before)
    bench.simulator.use(RenameModel(to="replicate/renamed"), DropAnswer())
    await bench.provider.submit(call, bench.now())

    found = await bench.provider.find(call, bench.now())

    assert isinstance(found, Candidates)
    assert (len(found.provider_ids), found.complete) == (1, True)


async def test_a_model_under_a_strange_name_is_neither_taken_nor_ruled_out(bench: ReplicateBench) -> None:
    call = bench.call(intent_at=bench.now())
    bench.simulator.use(RenameModel(to="replicate/renamed"), DropAnswer())
    await bench.provider.submit(call, bench.now())

    assert await bench.provider.find(call, bench.now()) == Candidates((), complete=False)


async def test_an_input_that_was_erased_rules_nothing_out(bench: ReplicateBench) -> None:
    before = bench.now()
    await accepted(bench, RemoveAfter(seconds=1))
    bench.simulator.advance(60)

    found = await bench.provider.find(bench.call(intent_at=before), bench.now())

    assert found == Candidates((), complete=False)


async def test_a_list_that_cannot_be_read_finds_nothing_out(bench: ReplicateBench) -> None:
    call = bench.call()
    bench.simulator.use(GatewayError(on="list"))

    assert isinstance(await bench.provider.find(call, bench.now()), Unknown)
