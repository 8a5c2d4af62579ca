"""Each switch for an answer does what its docstring says; and when a fault strikes."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import httpx
import pytest

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults import (
    FAULTS,
    Abort,
    AnyFault,
    Delay,
    DropAnswer,
    Fail,
    GatewayError,
    Refuse,
    Stuck,
    Throttle,
)
from tests.contract.simulated import FLUX, asking, create, made, noon, until

ASK = {"version": FLUX, "input": {"prompt": "a lighthouse"}}


@pytest.fixture
async def simulator() -> AsyncIterator[ReplicateSimulator]:
    async with ReplicateSimulator(clock=noon()) as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: ReplicateSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(simulator.url) as client:
        yield client


@pytest.mark.parametrize("sent", ["nothing", "headers", "half"])
async def test_drop_answer(simulator: ReplicateSimulator, client: httpx.AsyncClient, sent: str) -> None:
    simulator.use(DropAnswer(sent=sent))  # type: ignore[arg-type]
    with pytest.raises(httpx.TransportError):
        await client.post("/v1/predictions", json=ASK)

    (entry,) = simulator.bill().entries
    assert (entry.charged, entry.answered, entry.faults) == (True, None, ("drop_answer",))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_gateway_error(simulator: ReplicateSimulator, client: httpx.AsyncClient, status: int) -> None:
    simulator.use(
        GatewayError(status=status, nth=(1,)),  # type: ignore[arg-type]
        GatewayError(status=status, accepted=False, nth=(2,)),  # type: ignore[arg-type]
    )
    answers = [await client.post("/v1/predictions", json=ASK) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [status, status, 201]
    assert [entry.charged for entry in simulator.bill().entries] == [True, False, True]


async def test_delay() -> None:
    async with ReplicateSimulator(faults=[Delay(seconds=0.2)]) as simulator, asking(simulator.url) as client:
        answer = await client.post("/v1/predictions", json=ASK)

    assert answer.status_code == 201
    assert answer.elapsed.total_seconds() >= 0.2


@pytest.mark.parametrize(("accept", "charged"), [("before", [1, 1]), ("after", [0, 0]), ("late", [0, 1])])
async def test_delay_decides_when_and_whether_it_is_charged(
    simulator: ReplicateSimulator, client: httpx.AsyncClient, accept: str, charged: list[int]
) -> None:
    simulator.use(Delay(seconds=60, accept=accept))  # type: ignore[arg-type]
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/v1/predictions", json=ASK, timeout=0.1)
    counts = [simulator.bill().charged]
    await asyncio.sleep(0.05)  # until the simulator has seen the client leave: nothing tells

    simulator.advance(60)
    await until(lambda: simulator.bill().disconnected)

    assert [*counts, simulator.bill().charged] == charged


@pytest.mark.parametrize("status", [401, 402, 404, 422])
async def test_refuse(simulator: ReplicateSimulator, client: httpx.AsyncClient, status: int) -> None:
    simulator.use(Refuse(status=status))  # type: ignore[arg-type]
    answer = await client.post("/v1/predictions", json=ASK)

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert simulator.bill().charged == 0


@pytest.mark.parametrize(
    ("body", "fields", "told"),
    [
        ("plain", {"detail"}, "resets in ~7s"),
        ("low_credit", {"detail", "status", "retry_after"}, "less than $5.0 in credit"),
        ("bare", {"detail", "status"}, "Request was throttled."),
    ],
)
@pytest.mark.parametrize("header", [True, False])
async def test_throttle(
    simulator: ReplicateSimulator, client: httpx.AsyncClient, body: str, fields: set[str], told: str, header: bool
) -> None:
    simulator.use(Throttle(body=body, seconds=7, header=header))  # type: ignore[arg-type]
    answer = await client.post("/v1/predictions", json=ASK)

    assert (answer.status_code, set(answer.json())) == (429, fields)
    assert told in answer.json()["detail"]
    assert answer.headers.get("retry-after") == ("7" if header else None)
    assert ("ratelimit-reset" in answer.headers) is (body != "bare")


async def test_answers_of_other_calls_go_wrong_as_well(
    simulator: ReplicateSimulator, client: httpx.AsyncClient
) -> None:
    created = await create(client)
    simulator.use(Throttle(on="get"), GatewayError(on="list", status=503), Refuse(on="model", status=404))

    seen = [await client.get(path) for path in (created["urls"]["get"], "/v1/predictions", f"/v1/models/{FLUX}")]

    assert [answer.status_code for answer in seen] == [429, 503, 404]


async def test_a_fault_strikes_only_what_its_conditions_mean(
    simulator: ReplicateSimulator, client: httpx.AsyncClient
) -> None:
    simulator.use(Abort(model=FLUX, input={"num_outputs": 2}, nth=(2,)), Stuck(chance=0.5), Fail(error="x", times=1))
    statuses = [(await made(simulator, client, input={"num_outputs": 1 + number % 2}))["status"] for number in range(8)]

    aborted, stuck, failed = simulator.faults()
    assert (aborted["seen"], aborted["struck"], statuses[3]) == (4, 1, "aborted")
    assert 0 < stuck["struck"] < stuck["seen"] == 8
    assert (failed["seen"], failed["struck"]) == (8, 1)


def test_every_switch_is_shown_by_a_test_of_its_name() -> None:
    names = {kind.model_fields["fault"].default for kind in get_args(get_args(AnyFault)[0])}
    files = Path(__file__).parent.glob("test_simulator_replicate_*.py")
    shown = set(re.findall(r"def test_(\w+)\(", "".join(file.read_text() for file in files)))

    assert {name for name in names if not shown & {name, name.removeprefix("webhook_")}} == set()


def test_an_unknown_switch_is_refused() -> None:
    with pytest.raises(ValueError, match="does not match any of the expected tags"):
        FAULTS.validate_python([{"fault": "gremlins"}])
