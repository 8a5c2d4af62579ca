"""A simulated Cog container: idempotent while it runs, and only then."""

import asyncio
import base64
from collections.abc import AsyncIterator

import httpx
import pytest

from darkroom.simulators import CogSimulator
from darkroom.simulators.cog.faults import (
    Busy,
    Delay,
    DropAnswer,
    Fail,
    GatewayError,
    OutputCount,
    Slow,
    Stuck,
    Unhealthy,
    WebhookDuplicated,
    WebhookLate,
    WebhookLost,
)
from tests.contract.simulated import Receiver, noon, receiving, until

ASK = {"input": {"prompt": "a lighthouse"}}
LATER = {"prefer": "respond-async"}


@pytest.fixture
async def simulator() -> AsyncIterator[CogSimulator]:
    async with CogSimulator(clock=noon(), picture_side=64) as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: CogSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=simulator.url, timeout=10) as client:
        yield client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_who_waits_gets_the_output_inside_the_answer() -> None:
    async with CogSimulator(run_seconds=0.05) as simulator, httpx.AsyncClient(base_url=simulator.url) as client:
        answer = await client.post("/predictions", json=ASK)

    body = answer.json()
    assert (answer.status_code, body["status"], body["id"]) == (200, "succeeded", None)
    assert base64.b64decode(body["output"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert sorted(body) == [
        "completed_at", "created_at", "error", "id", "input", "logs", "metrics", "output", "started_at", "status",
    ]  # fmt: skip


async def test_the_same_id_runs_once_while_it_runs_and_again_afterwards(
    simulator: CogSimulator, client: httpx.AsyncClient
) -> None:
    answers = [await client.put("/predictions/a", json=ASK, headers=LATER) for _ in range(3)]
    assert simulator.bill().charged == 1

    simulator.advance(1)
    await client.put("/predictions/a", json=ASK, headers=LATER)

    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert simulator.bill().charged == 2


async def test_another_id_has_to_wait_for_a_slot(simulator: CogSimulator, client: httpx.AsyncClient) -> None:
    await client.put("/predictions/a", json=ASK, headers=LATER)
    assert (await client.get("/health-check")).json()["status"] == "BUSY"

    refused = await client.put("/predictions/b", json=ASK, headers=LATER)
    simulator.advance(1)
    accepted = await client.put("/predictions/b", json=ASK, headers=LATER)

    assert (refused.status_code, refused.json()) == (409, {"detail": "Already running a prediction"})
    assert accepted.status_code == 202
    assert simulator.bill().charged == 2


async def test_a_container_may_have_more_slots(simulator: CogSimulator, client: httpx.AsyncClient) -> None:
    simulator.tell(slots=2)
    statuses = [(await client.put(f"/predictions/{name}", json=ASK, headers=LATER)).status_code for name in "abc"]

    assert statuses == [202, 202, 409]


async def test_the_id_in_the_body_must_be_the_one_in_the_url(client: httpx.AsyncClient) -> None:
    answer = await client.put("/predictions/a", json=ASK | {"id": "b"})

    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "id"])


async def test_cancel_frees_the_slot_and_tells(
    simulator: CogSimulator, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    simulator.use(Stuck())
    hook = {"webhook": receiver.url, "webhook_events_filter": ["completed"]}
    await client.put("/predictions/a", json=ASK | hook, headers=LATER)
    simulator.advance(5)

    canceled, unknown = [await client.post(f"/predictions/{name}/cancel") for name in "ab"]
    await until(lambda: receiver.heard)

    assert (canceled.status_code, unknown.status_code) == (200, 404)
    assert receiver.statuses() == ["canceled"]
    assert (await client.get("/health-check")).json()["status"] == "READY"


async def test_webhooks_tell_the_start_and_the_end(
    simulator: CogSimulator, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await client.put("/predictions/a", json=ASK | {"webhook": receiver.url}, headers=LATER)
    simulator.advance(1)
    await until(lambda: "succeeded" in receiver.statuses())

    assert [one.event for one in simulator.deliveries][:1] == ["start"]
    assert receiver.heard[-1].body["output"].startswith("data:image/png")
    assert "webhook-signature" not in receiver.heard[0].headers


async def test_webhook_lost_duplicated_and_late(
    simulator: CogSimulator, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    simulator.use(
        WebhookLost(event="start"), WebhookDuplicated(event="completed"), WebhookLate(event="output", seconds=50)
    )
    hook = {"webhook": receiver.url, "webhook_events_filter": ["start", "output", "completed"]}
    await client.put("/predictions/a", json=ASK | hook, headers=LATER)
    simulator.advance(1)
    await until(lambda: len(receiver.heard) == 2)
    simulator.advance(50)
    await until(lambda: len(receiver.heard) == 3)

    assert [one.event for one in simulator.deliveries] == ["completed", "completed", "output"]


async def test_faults_of_answers(simulator: CogSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(
        Busy(nth=(1,)), GatewayError(nth=(2,), accepted=False), DropAnswer(nth=(3,)), Delay(seconds=9, nth=(4,))
    )
    busy = await client.put("/predictions/a", json=ASK, headers=LATER)
    between = await client.put("/predictions/a", json=ASK, headers=LATER)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.put("/predictions/a", json=ASK, headers=LATER)
    late = asyncio.ensure_future(client.put("/predictions/a", json=ASK, headers=LATER))
    await until(lambda: simulator.bill().creates == 4)
    simulator.advance(9)

    assert (busy.status_code, between.status_code, (await late).status_code) == (409, 502, 202)
    assert [entry.charged for entry in simulator.bill().entries] == [False, False, True, False]


async def test_faults_of_runs() -> None:
    faults = [
        Fail(error="CUDA out of memory", nth=(1,)),
        OutputCount(count=3, nth=(2,)),
        Slow(run_seconds=0.3, nth=(3,)),
    ]
    simulator = CogSimulator(run_seconds=0.01, picture_side=64, faults=faults)
    async with simulator, httpx.AsyncClient() as client:
        failed, three, slow = [await client.post(f"{simulator.url}/predictions", json=ASK) for _ in range(3)]

    assert (failed.json()["status"], failed.json()["error"]) == ("failed", "CUDA out of memory")
    assert len(three.json()["output"]) == 3
    assert slow.json()["metrics"] == {"predict_time": 0.3}


async def test_unhealthy(simulator: CogSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(Unhealthy(status="SETUP_FAILED"))

    assert (await client.get("/health-check")).json()["status"] == "SETUP_FAILED"


async def test_the_bill_counts_who_hung_up(simulator: CogSimulator, client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/predictions", json=ASK, timeout=0.1)
    simulator.advance(1)
    await until(lambda: (bill := simulator.bill()).disconnected and bill.charged)

    assert (await client.get("/_simulator/bill")).json()["disconnected"] == 1
