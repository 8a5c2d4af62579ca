"""What leaves for Replicate, and what its answers to a create mean."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from darkroom.simulators.faults import Fault
from darkroom.simulators.replicate.faults import (
    Delay,
    DropAnswer,
    GatewayError,
    Refuse,
    Throttle,
)  # fmt: skip
from generator_service.calls import Failed, Finished, NotSent, Throttled, Unknown
from generator_service.errors import Code
from generator_service.providers.replicate import ReplicateProvider
from tests.contract.bench import Bucket, a_call
from tests.contract.benches import TOKEN, ReplicateBench, accepted, replicate_bench, under

MODEL = "stability-ai/sdxl"
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
async def bench() -> AsyncIterator[ReplicateBench]:
    async with replicate_bench() as standing:
        yield standing


async def test_every_create_ends_by_itself_after_half_an_hour(bench: ReplicateBench) -> None:
    call = await accepted(bench)

    shown = await _raw(bench, f"/v1/predictions/{call.provider_id}")
    lives = datetime.fromisoformat(shown["deadline"]) - datetime.fromisoformat(shown["created_at"])
    assert abs(lives - HALF_AN_HOUR) < timedelta(seconds=1)


async def test_a_callback_is_asked_for_at_the_start_and_at_the_end(bench: ReplicateBench) -> None:
    await under(bench, callback_url="http://127.0.0.1:9/hooks/replicate")

    async with asyncio.timeout(5):
        while {sent.event for sent in bench.simulator.deliveries} != {"start", "completed"}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_call_without_a_listener_asks_for_no_callback(bench: ReplicateBench) -> None:
    await under(bench)

    assert bench.simulator.bill().entries[0].webhook is None


@pytest.mark.parametrize("kind", ["official", "named version", "bare version", "deployment"])
async def test_models_versions_and_deployments_are_reached(bench: ReplicateBench, kind: str) -> None:
    version = (await _raw(bench, f"/v1/models/{MODEL}"))["latest_version"]["id"]
    names = {
        "official": "black-forest-labs/flux-schnell",
        "named version": f"{MODEL}:{version}",
        "bare version": version,
        "deployment": "deployments/acme/sdxl",
    }

    outcome = await under(bench, model=names[kind])

    assert isinstance(outcome, Finished), outcome


@pytest.mark.parametrize("name", ["nonsense", "a/b/c", "owner/../admin", "https://elsewhere.example/x", "owner/name:1"])
async def test_a_name_that_replicate_cannot_have_is_never_asked_for(bench: ReplicateBench, name: str) -> None:
    outcome = await under(bench, model=name)

    assert (outcome.code, outcome.retryable) == (Code.NOT_FOUND, False)
    assert bench.simulator.bill().creates == 0


@pytest.mark.parametrize(
    "fault",
    [
        DropAnswer(sent="nothing"),
        DropAnswer(sent="headers"),
        DropAnswer(sent="half"),
        GatewayError(status=500),
        GatewayError(status=502),
        GatewayError(status=503),
        GatewayError(status=504, accepted=False),
    ],
    ids=lambda fault: f"{fault.fault}-{getattr(fault, 'status', '')}{getattr(fault, 'sent', '')}",
)
async def test_an_answer_that_tells_nothing_leaves_the_call_unknown_and_asks_once(
    bench: ReplicateBench, fault: Fault
) -> None:
    outcome = await under(bench, fault)

    assert isinstance(outcome, Unknown), outcome
    assert bench.simulator.bill().creates == 1


async def test_an_answer_that_is_late_leaves_the_call_unknown() -> None:
    async with replicate_bench() as bench:
        hurried = ReplicateProvider(SecretStr(TOKEN), bench.simulator.url, HALF_AN_HOUR, bench.bucket.stage, 0.3)
        call = bench.call()
        bench.simulator.use(Delay(seconds=30))

        outcome = await hurried.submit(call, bench.now())
        await hurried.close()

    assert isinstance(outcome, Unknown)
    assert bench.charged() == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://nowhere.invalid"])
async def test_nothing_was_sent_where_nobody_listens(url: str) -> None:
    provider = ReplicateProvider(SecretStr(TOKEN), url, HALF_AN_HOUR, Bucket().stage, 5)

    outcome = await provider.submit(a_call(model="owner/name"), datetime.now().astimezone())
    await provider.close()

    assert isinstance(outcome, NotSent)


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (Throttle(body="plain", seconds=7, header=True), 7),
        (Throttle(body="plain", seconds=30, header=False), 30),
        (Throttle(body="low_credit", seconds=11, header=False), 11),
        (Throttle(body="bare", seconds=3, header=True), 3),
    ],
)
async def test_a_throttled_call_waits_as_long_as_it_is_told(
    bench: ReplicateBench, fault: Throttle, seconds: int
) -> None:
    outcome = await under(bench, fault)

    assert isinstance(outcome, Throttled), outcome
    assert outcome.retry_after == timedelta(seconds=seconds)
    assert bench.simulator.bill().creates == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, Code.UNAUTHENTICATED),
        (402, Code.INSUFFICIENT_CREDIT),
        (404, Code.NOT_FOUND),
        (422, Code.INVALID_INPUT),
    ],
)
async def test_a_refusal_has_a_code(bench: ReplicateBench, status: Any, code: Code) -> None:
    outcome = await under(bench, Refuse(status=status))

    assert isinstance(outcome, Failed), outcome
    assert (outcome.code, outcome.retryable) == (code, code.retryable)
    assert TOKEN not in repr(outcome)


async def test_a_wrong_input_is_named_by_its_field_and_never_by_its_value(bench: ReplicateBench) -> None:
    outcome = await under(bench, input={"width": "as wide as the sea itself", "height": 99_999})

    assert outcome.code == Code.INVALID_INPUT
    assert "input.width" in outcome.message
    assert "input.height" in outcome.message
    assert "sea" not in outcome.message


async def _raw(bench: ReplicateBench, path: str) -> Any:
    async with httpx.AsyncClient(base_url=bench.simulator.url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        return (await client.get(path)).json()
