"""One prediction at Replicate, looked at by hand beside a call of ours whose answer was lost."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from darkroom.simulators.faults import Fault
from darkroom.simulators.replicate.faults import DropAnswer, GatewayError, Refuse, RemoveAfter, Throttle
from generator_service.calls import Call
from generator_service.providers.billing import BILLERS, Biller, BillUnreadable
from tests.contract.benches import TOKEN, ReplicateBench, accepted, replicate_bench


@pytest.fixture
async def bench() -> AsyncIterator[ReplicateBench]:
    async with replicate_bench() as standing:
        yield standing


@pytest.fixture
async def biller(bench: ReplicateBench) -> AsyncIterator[Biller]:
    told = {"REPLICATE_API_TOKEN": TOKEN, "REPLICATE_BASE_URL": bench.simulator.url}
    async with BILLERS["replicate"](told) as biller:
        yield biller


async def lost(bench: ReplicateBench, *faults: Fault) -> tuple[Call, str]:
    """A call that Replicate has, as it was before its answer came, and the id there."""
    call = await accepted(bench, *faults)
    return replace(call, provider_id=None, submitted_at=None), call.provider_id or ""


async def test_the_lost_call_is_shown_with_what_it_is_and_asks_for_the_same(
    bench: ReplicateBench, biller: Biller
) -> None:  # fmt: skip
    call, name = await lost(bench)

    shown = await biller.show(name, call)

    assert shown is not None
    assert (shown.provider_id, shown.model, shown.same) == (name, call.model, True)
    assert shown.created_at is not None
    assert call.intent_at is not None
    assert abs((shown.created_at - call.intent_at).total_seconds()) < 10


@pytest.mark.parametrize("change", [{"prompt": "another one"}, {"seed": 8}, {"num_outputs": 2}])
async def test_a_call_for_something_else_is_not_the_same(
    bench: ReplicateBench, biller: Biller, change: dict[str, str | int]
) -> None:
    call, name = await lost(bench)

    shown = await biller.show(name, replace(call, **change))  # type: ignore[arg-type]

    assert shown is not None
    assert shown.same is False


async def test_the_same_input_under_another_models_name_is_shown_and_left_to_people(
    bench: ReplicateBench, biller: Biller
) -> None:
    """A model may come back under a new name."""
    call, name = await lost(bench)

    shown = await biller.show(name, replace(call, model="stability-ai/sdxl"))

    assert shown is not None
    assert (shown.model, shown.same) == (call.model, None)


async def test_nobody_can_tell_of_a_call_whose_input_is_gone(bench: ReplicateBench, biller: Biller) -> None:
    call, name = await lost(bench, RemoveAfter(seconds=0))
    seen = await biller.show(name, call)
    while seen is not None and seen.status != "succeeded":
        seen = await biller.show(name, call)

    assert seen is not None
    assert seen.same is None


@pytest.mark.parametrize("mistyped", ["a" * 26, "a.b", "deployments/1"])
async def test_an_id_that_replicate_does_not_have_shows_nothing(
    bench: ReplicateBench, biller: Biller, mistyped: str
) -> None:  # fmt: skip
    call, _ = await lost(bench)

    assert await biller.show(mistyped, call) is None


@pytest.mark.parametrize(
    "fault", [GatewayError(on="get"), DropAnswer(on="get"), Refuse(on="get", status=401), Throttle(on="get", seconds=1)]
)
async def test_an_answer_that_says_nothing_of_the_call_is_not_taken_for_its_absence(
    bench: ReplicateBench, biller: Biller, fault: Fault
) -> None:  # fmt: skip
    call, name = await lost(bench, fault)

    with pytest.raises(BillUnreadable):
        await biller.show(name, call)
