"""How a prediction at Replicate ends, and what it made."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from darkroom.simulators.replicate.faults import (
    Abort,
    Fail,
    OutputCount,
    OutputShape,
    RemoveAfter,
    Stuck,
)  # fmt: skip
from generator_service.calls import Call, Failed, Finished, Running, Unknown
from generator_service.errors import Code
from schemas.events import StagedSource, UrlSource
from tests.contract.bench import PROMPT
from tests.contract.benches import ReplicateBench, accepted, replicate_bench, under

MODEL = "stability-ai/sdxl"
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
async def bench() -> AsyncIterator[ReplicateBench]:
    async with replicate_bench() as standing:
        yield standing


async def test_a_call_that_no_machine_took_may_be_tried_again(bench: ReplicateBench) -> None:
    outcome = await under(bench, Abort())

    assert (outcome.code, outcome.retryable) == (Code.NOT_STARTED, True)
    assert bench.charged() == 0


async def test_a_cancelled_call_is_over(bench: ReplicateBench) -> None:
    call = await accepted(bench, Stuck(status="processing"))

    await bench.provider.cancel(call, bench.now())

    outcome = await bench.provider.poll(call, bench.now())
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (Code.CANCELLED, False)


@pytest.mark.parametrize(
    ("error", "code", "provider_code"),
    [
        ("Prediction failed. It might have run out of memory? (E1000)", "provider_failed", "E1000"),
        ("CUDA ran out of memory (E1001)", "out_of_memory", "E1001"),
        ("The webhook URL is empty (E4875)", "misconfigured", "E4875"),
        ("Timed out while starting (E6716)", "not_started", "E6716"),
        ("Something new (E7777)", "provider_failed", "E7777"),
        ("Prediction interrupted; please retry (code: PA)", "provider_failed", "PA"),
        ("NSFW content detected. Try a different prompt.", "content_policy", None),
        ("All generated images contained NSFW content (E1000)", "content_policy", "E1000"),
        ("The input or output was flagged as sensitive. (E005)", "content_policy", "E005"),
        ("", "provider_failed", None),
    ],
)
async def test_an_error_of_the_model_has_our_code_and_its_own(
    bench: ReplicateBench, error: str, code: str, provider_code: str | None
) -> None:
    outcome = await under(bench, Fail(error=error))

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.provider_code) == (code, provider_code)
    assert outcome.retryable == Code(code).retryable


async def test_an_error_that_repeats_the_prompt_is_not_passed_on(bench: ReplicateBench) -> None:
    outcome = await under(bench, Fail(error=f"could not draw '{PROMPT.upper()[5:30]}'"))

    assert "LIGHTHOUSE" not in outcome.message.upper()


@pytest.mark.parametrize("shape", ["list", "single", "nested"])
async def test_urls_are_found_in_an_output_of_any_shape(bench: ReplicateBench, shape: Any) -> None:
    outcome = await under(bench, OutputShape(shape=shape), outputs=(4,))

    assert isinstance(outcome, Finished), outcome
    [source] = outcome.sources
    assert isinstance(source, UrlSource)
    assert source.expires_at is not None
    assert timedelta(minutes=59) < source.expires_at - bench.now() <= timedelta(hours=1)


async def test_inline_bytes_are_staged_under_the_output_they_are(bench: ReplicateBench) -> None:
    call = await accepted(bench, OutputShape(shape="data"), outputs=(4, 5), num_outputs=2)

    outcome = await _over(bench, call)

    assert isinstance(outcome, Finished), outcome
    assert all(isinstance(source, StagedSource) for source in outcome.sources)
    assert bench.bucket.kept.keys() == {(call.generation_id, 4), (call.generation_id, 5)}
    assert all(content.startswith((b"RIFF", b"\x89PNG", b"\xff\xd8")) for content in bench.bucket.kept.values())


async def test_inline_bytes_that_cannot_be_staged_are_asked_for_again(bench: ReplicateBench) -> None:
    call = await accepted(bench, OutputShape(shape="data"))
    bench.bucket.away = True
    assert isinstance(await _over(bench, call), Unknown)
    bench.bucket.away = False

    assert isinstance(await bench.provider.poll(call, bench.now()), Finished)


@pytest.mark.parametrize(("shape", "code"), [("text", Code.BAD_OUTPUT), ("null", Code.NO_OUTPUT)])
async def test_a_success_without_media_is_paid_for_and_final(bench: ReplicateBench, shape: Any, code: Code) -> None:
    outcome = await under(bench, OutputShape(shape=shape))

    assert (outcome.code, outcome.retryable) == (code, False)


async def test_fewer_and_more_outputs_than_asked_for(bench: ReplicateBench) -> None:
    fewer = await under(bench, OutputCount(count=2), outputs=(0, 1, 2), num_outputs=3)
    more = await under(bench, OutputCount(count=4), outputs=(0, 1, 2), num_outputs=3)

    assert (len(fewer.sources), len(more.sources)) == (2, 3)


async def test_an_output_that_nobody_asked_for_in_time_is_expired(bench: ReplicateBench) -> None:
    call = await accepted(bench, RemoveAfter(seconds=10))
    bench.simulator.advance(60)

    outcome = await bench.provider.poll(call, bench.now())

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (Code.OUTPUT_EXPIRED, False)


async def _over(bench: ReplicateBench, call: Call) -> Any:
    async with asyncio.timeout(5):
        while isinstance(outcome := await bench.provider.poll(call, bench.now()), Running):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return outcome
