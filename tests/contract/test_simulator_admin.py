"""`/_simulator`: all a test needs from another process, and the bill."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import httpx
import pytest

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults import Delay, DropAnswer
from tests.contract.simulated import FLUX, TOKEN, again, asking, create, noon, until


@pytest.fixture
async def simulator() -> AsyncIterator[ReplicateSimulator]:
    async with ReplicateSimulator(clock=noon()) as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: ReplicateSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(simulator.url) as client:
        yield client


async def test_the_bill_names_every_create(client: httpx.AsyncClient) -> None:
    created = await create(client, webhook="http://127.0.0.1:9/hook")
    await client.post("/v1/predictions", json={"version": FLUX, "input": {}})

    bill = (await client.get("/_simulator/bill")).json()

    accepted, refused = bill["entries"]
    assert {name: bill[name] for name in ("creates", "accepted", "charged")} == {
        "creates": 2,
        "accepted": 1,
        "charged": 1,
    }
    assert accepted == {
        "number": 1,
        "at": "2026-03-01T12:00:00Z",
        "call": "POST /v1/predictions",
        "model": FLUX,
        "input_sha256": sha256(f'["{FLUX}",{{"prompt":"a lighthouse"}}]'.encode()).hexdigest(),
        "input": {"prompt": "a lighthouse"},
        "webhook": "http://127.0.0.1:9/hook",
        "prediction": created["id"],
        "charged": True,
        "seconds": 0.0,
        "answered": 201,
        "client_disconnected": False,
        "faults": [],
    }
    assert (refused["prediction"], refused["charged"], refused["answered"]) == (None, False, 422)


async def test_who_hangs_up_before_the_answer_has_paid(
    simulator: ReplicateSimulator, client: httpx.AsyncClient
) -> None:
    simulator.use(Delay(seconds=3600))
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/v1/predictions", json={"version": FLUX, "input": {"prompt": "x"}}, timeout=0.2)
    await until(lambda: simulator.bill().disconnected)

    bill = simulator.bill()
    assert (bill.charged, bill.entries[0].client_disconnected, bill.entries[0].answered) == (1, True, None)


async def test_a_client_killed_while_it_waits_has_paid() -> None:
    async with ReplicateSimulator(run_seconds=30) as simulator:
        _, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        body = b'{"input":{"prompt":"x"}}'
        head = f"POST /v1/models/{FLUX}/predictions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\nprefer: wait\r\n"
        writer.write(head.encode() + f"content-length: {len(body)}\r\n\r\n".encode() + body)
        await until(lambda: simulator.bill().charged)
        writer.transport.abort()

        await until(lambda: simulator.bill().disconnected)
        assert simulator.bill().charged == 1


async def test_paying_twice_shows(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(DropAnswer(nth=(1,)))
    with pytest.raises(httpx.RemoteProtocolError):
        await create(client)
    await create(client)
    await create(client, prompt="another")

    assert simulator.bill().charged == 3
    assert simulator.bill().twice() == [simulator.bill().entries[0].input_sha256]


async def test_faults_settings_and_clock_can_be_told_over_http(client: httpx.AsyncClient) -> None:
    told = await client.put("/_simulator/faults", json=[{"fault": "stuck", "times": 1}])
    await client.put("/_simulator/settings", json={"run_seconds": 5})
    stuck, other = await create(client), await create(client)
    clock = (await client.put("/_simulator/clock", json={"advance": 5.1, "frozen": True})).json()

    assert told.json() == [{"fault": "stuck", "times": 1, "seen": 0, "struck": 0}]
    assert [(await again(client, one))["status"] for one in (stuck, other)] == ["starting", "succeeded"]
    assert clock == {"now": "2026-03-01T12:00:05.100000+00:00", "frozen": True}
    assert (await client.get("/_simulator/faults")).json()[0]["struck"] == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", [{"fault": "gremlins"}]),
        ("faults", [{"fault": "stuck", "often": 1}]),
        ("faults", {"fault": "stuck"}),
        ("settings", {"run_seconds": -1}),
        ("settings", {"speed": 9}),
        ("settings", []),
        ("clock", {"advance": -1}),
    ],
)
async def test_what_is_told_wrong_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, path: str, body: object
) -> None:
    before = (await client.get(f"/_simulator/{path}")).json()

    answer = await client.put(f"/_simulator/{path}", json=body)

    assert answer.status_code == 422
    assert answer.json()["wrong"]
    assert (await client.get(f"/_simulator/{path}")).json() == before


async def test_many_can_wait_at_once_and_cost_little(simulator: ReplicateSimulator) -> None:
    simulator.tell(creates_per_minute=10_000)
    async with httpx.AsyncClient(base_url=simulator.url, headers=TOKEN) as client:
        for _ in range(6):
            await asyncio.gather(*(create(client, webhook="http://127.0.0.1:9/") for _ in range(50)))

    assert simulator.bill().charged == 300
