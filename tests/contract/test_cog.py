"""Cog's own: one open connection per prediction, and nothing kept."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from darkroom.simulators.cog.faults import Busy
from darkroom.simulators.replicate.faults import Fail, OutputCount, Stuck
from generator_service.boot_time import boot_time
from generator_service.calls import Failed, Finished, NotSent, Running, Throttled, Unknown
from generator_service.errors import Code
from generator_service.providers.cog import id_of
from schemas.events import StagedSource
from tests.contract.bench import a_call, submitted
from tests.contract.benches import CogBench, cog_bench


@pytest.fixture
async def bench() -> AsyncIterator[CogBench]:
    async with cog_bench() as standing:
        yield standing


async def test_every_output_is_staged_before_the_call_is_finished(bench: CogBench) -> None:
    call = a_call(outputs=(2, 3), num_outputs=2)

    outcome = await bench.provider.submit(call, bench.now())

    assert isinstance(outcome, Finished), outcome
    assert all(isinstance(source, StagedSource) for source in outcome.sources)
    assert bench.bucket.kept.keys() == {(call.generation_id, 2), (call.generation_id, 3)}


async def test_a_call_that_finds_every_slot_taken_waits_and_was_no_attempt(bench: CogBench) -> None:
    first, second = await asyncio.gather(
        bench.provider.submit(a_call(), bench.now()), bench.provider.submit(a_call(), bench.now())
    )

    assert {type(first), type(second)} == {Finished, Throttled}
    assert bench.charged() == 1


async def test_what_still_runs_for_a_lost_connection_is_not_run_twice() -> None:
    async with cog_bench(run_seconds=4) as bench:
        call = a_call()
        lost = asyncio.create_task(bench.provider.submit(call, bench.now()))
        async with asyncio.timeout(3):
            while not bench.charged():  # noqa: ASYNC110 - the simulator has no event for it
                await asyncio.sleep(0.01)
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)

        again = await bench.provider.submit(call, bench.now())

        assert isinstance(again, Unknown), again
        assert bench.charged() == 1


async def test_a_model_that_takes_too_long_is_hung_up_on_and_fails_for_good() -> None:
    async with cog_bench(patience=0.2) as bench:
        bench.simulator.use(Stuck())

        outcome = await bench.provider.submit(a_call(), bench.now())

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (Code.TIMED_OUT, False)


@pytest.mark.parametrize("taken", [False, True])
async def test_a_call_of_which_only_its_id_is_known_is_had_by_asking_again(bench: CogBench, taken: bool) -> None:
    """It would be looked at for ever: Cog keeps nothing that could be asked about."""
    call = a_call()
    await bench.provider.submit(call, bench.now())
    if taken:
        bench.simulator.use(Busy())

    outcome = await bench.provider.poll(submitted(call, id_of(call), bench.now()), bench.now())

    assert isinstance(outcome, Running if taken else Finished), outcome
    assert outcome.provider_id == id_of(call)


async def test_a_call_is_not_begun_when_its_claim_ends_before_the_model_would(bench: CogBench) -> None:
    outcome = await bench.provider.submit(a_call(send_by=boot_time() + 3), bench.now())

    assert isinstance(outcome, NotSent)
    assert bench.charged() == 0


async def test_an_output_that_cannot_be_staged_leaves_the_call_unknown(bench: CogBench) -> None:
    bench.bucket.away = True

    assert isinstance(await bench.provider.submit(a_call(), bench.now()), Unknown)


async def test_an_error_of_the_model_has_our_code_and_its_own(bench: CogBench) -> None:
    bench.simulator.use(Fail(error="CUDA out of memory (E1001)"))

    outcome = await bench.provider.submit(a_call(), bench.now())

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.provider_code) == (Code.OUT_OF_MEMORY, "E1001")


async def test_a_success_without_media_is_final(bench: CogBench) -> None:
    bench.simulator.use(OutputCount(count=0))

    outcome = await bench.provider.submit(a_call(), bench.now())

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (Code.NO_OUTPUT, False)


async def test_a_busy_container_is_asked_again_soon(bench: CogBench) -> None:
    bench.simulator.use(Busy())

    outcome = await bench.provider.submit(a_call(), bench.now())

    assert isinstance(outcome, Throttled)
    assert outcome.retry_after.total_seconds() == 1
