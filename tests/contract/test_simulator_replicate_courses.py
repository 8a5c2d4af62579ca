"""Each switch for the course of a prediction does what its docstring says."""

from collections.abc import AsyncIterator

import httpx
import pytest

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults import (
    Abort,
    CancelPending,
    CancelRace,
    EchoWebhook,
    Fail,
    OutputCount,
    OutputShape,
    RemoveAfter,
    RenameModel,
    Slow,
    Stuck,
    TimeDigits,
    Unlisted,
)
from tests.contract.simulated import again, asking, create, made, noon


@pytest.fixture
async def simulator() -> AsyncIterator[ReplicateSimulator]:
    async with ReplicateSimulator(clock=noon()) as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: ReplicateSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(simulator.url) as client:
        yield client


async def test_slow(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(Slow(queue_seconds=60, run_seconds=60))
    created = await create(client)
    seen = []
    for _ in range(3):
        seen.append((await again(client, created))["status"])
        simulator.advance(60)

    assert seen == ["starting", "processing", "succeeded"]


@pytest.mark.parametrize("status", ["starting", "processing"])
async def test_stuck(simulator: ReplicateSimulator, client: httpx.AsyncClient, status: str) -> None:
    simulator.use(Stuck(status=status))  # type: ignore[arg-type]

    assert (await made(simulator, client))["status"] == status


async def test_abort(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(Abort())

    seen = await made(simulator, client)

    assert (seen["status"], "started_at" in seen, simulator.bill().charged) == ("aborted", False, 0)


@pytest.mark.parametrize("error", ["Out of memory (E1001)", "All generated images contained NSFW content"])
async def test_fail(simulator: ReplicateSimulator, client: httpx.AsyncClient, error: str) -> None:
    simulator.use(Fail(error=error))

    seen = await made(simulator, client)

    assert (seen["status"], seen["error"], seen["output"]) == ("failed", error, None)


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_output_count(simulator: ReplicateSimulator, client: httpx.AsyncClient, count: int) -> None:
    simulator.use(OutputCount(count=count))

    assert len((await made(simulator, client, input={"num_outputs": 2}))["output"]) == count


@pytest.mark.parametrize(
    ("shape", "kind"),
    [("list", "list"), ("single", "str"), ("nested", "dict"), ("data", "list"), ("text", "str"), ("null", "NoneType")],
)
async def test_output_shape(simulator: ReplicateSimulator, client: httpx.AsyncClient, shape: str, kind: str) -> None:
    simulator.use(OutputShape(shape=shape))  # type: ignore[arg-type]

    output = (await made(simulator, client))["output"]

    assert kind == type(output).__name__
    if shape == "data":
        assert output[0].startswith("data:image/webp;base64,")
    if shape == "nested":
        assert output["images"][0]["url"].startswith(simulator.url)


async def test_rename_model(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(RenameModel(to="acme/other"))

    assert (await made(simulator, client))["model"] == "acme/other"


async def test_echo_webhook(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(EchoWebhook())

    seen = await made(simulator, client, webhook="http://127.0.0.1:9/", webhook_events_filter=["completed"])

    assert (seen["webhook"], seen["webhook_events_filter"]) == ("http://127.0.0.1:9/", ["completed"])


@pytest.mark.parametrize(("digits", "time"), [(9, "12:00:00.000000000Z"), (3, "12:00:00.000Z"), (0, "12:00:00Z")])
async def test_time_digits(simulator: ReplicateSimulator, client: httpx.AsyncClient, digits: int, time: str) -> None:
    simulator.use(TimeDigits(digits=digits))

    assert (await made(simulator, client))["created_at"] == f"2026-03-01T{time}"


async def test_remove_after(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(RemoveAfter(seconds=5))

    seen = await made(simulator, client)

    assert (seen["data_removed"], seen["output"], seen["status"]) == (True, None, "succeeded")


async def test_unlisted(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(Unlisted(seconds=30))
    await create(client)
    listed = []
    for _ in range(2):
        listed.append(len((await client.get("/v1/predictions")).json()["results"]))
        simulator.advance(30)

    assert listed == [0, 1]


async def test_cancel_race(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(CancelRace(), Slow(run_seconds=60))
    created = await create(client)
    simulator.advance(5)

    canceled = (await client.post(created["urls"]["cancel"])).json()

    assert (canceled["status"], len(canceled["output"])) == ("succeeded", 1)
    assert simulator.bill().charged == 1


async def test_cancel_pending(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    simulator.use(CancelPending(seconds=3), Slow(run_seconds=60))
    created = await create(client)
    simulator.advance(5)

    canceled = (await client.post(created["urls"]["cancel"])).json()
    simulator.advance(3)

    assert (canceled["status"], (await again(client, created))["status"]) == ("processing", "canceled")
