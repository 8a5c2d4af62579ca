"""What the simulator promises when nothing goes wrong: lists, limits, deadlines, waiting, retention."""

import base64
from collections.abc import AsyncIterator

import httpx
import pytest

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults import Slow, Stuck
from tests.contract.simulated import FLUX, NOON, again, asking, create, noon

INPUT = {"prompt": "a lighthouse"}


@pytest.fixture
async def simulator() -> AsyncIterator[ReplicateSimulator]:
    async with ReplicateSimulator(clock=noon()) as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: ReplicateSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(simulator.url) as client:
        yield client


async def test_a_prediction_starts_runs_and_succeeds(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    created = await create(client)
    statuses = [created["status"]]
    for _ in range(2):
        simulator.advance(0.3)
        statuses.append((await again(client, created))["status"])

    assert statuses == ["starting", "processing", "succeeded"]
    assert (await again(client, created))["metrics"] == {"predict_time": 0.4, "total_time": 0.5}


async def test_the_list_can_be_cut_by_time(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    made = []
    for _ in range(3):
        made.append((await create(client))["id"])
        simulator.advance(60)

    async def listed(**query: str) -> list[str]:
        return [one["id"] for one in (await client.get("/v1/predictions", params=query)).json()["results"]]

    assert await listed(created_after="2026-03-01T12:01:00Z") == [made[2], made[1]]
    assert await listed(created_before="2026-03-01T12:01:00Z") == [made[0]]
    assert (await client.get("/v1/predictions", params={"created_after": "noon"})).status_code == 422


async def test_a_page_keeps_its_filter_and_its_place_while_others_are_created(client: httpx.AsyncClient) -> None:
    for _ in range(102):
        await create(client)
    first = (await client.get("/v1/predictions", params={"created_after": NOON.isoformat()})).json()
    await create(client)

    second = (await client.get(first["next"])).json()

    assert (len(first["results"]), len(second["results"]), second["next"]) == (100, 2, None)
    assert "created_after" in first["next"]
    assert not {one["id"] for one in first["results"]} & {one["id"] for one in second["results"]}


async def test_more_than_600_creates_in_a_minute_are_throttled(client: httpx.AsyncClient) -> None:
    answers = [await client.post("/v1/predictions", json={"version": FLUX, "input": INPUT}) for _ in range(601)]

    assert {answer.status_code for answer in answers[:600]} == {201}
    assert (answers[-1].status_code, answers[-1].headers["retry-after"]) == (429, "1")
    assert answers[-1].json() == {"detail": "Request was throttled. Your rate limit resets in ~1s."}


async def test_low_credit_is_six_a_minute_one_at_a_time(
    simulator: ReplicateSimulator, client: httpx.AsyncClient
) -> None:
    simulator.tell(low_credit=True)
    await create(client)

    refused = await client.post("/v1/predictions", json={"version": FLUX, "input": INPUT})

    assert refused.json()["retry_after"] == int(refused.headers["retry-after"]) == 20
    assert "reduced to 6 requests per minute with a burst of 1 requests" in refused.json()["detail"]
    assert simulator.bill().charged == 1


async def test_cancel_after_before_the_start_aborts_and_costs_nothing(
    simulator: ReplicateSimulator, client: httpx.AsyncClient
) -> None:
    simulator.use(Stuck())
    created = await create(client, headers={"cancel-after": "1m30s"})
    assert created["deadline"] == "2026-03-01T12:01:30Z"
    assert simulator.bill().charged == 1

    simulator.advance(90)

    assert (await again(client, created))["status"] == "aborted"
    assert simulator.bill().charged == 0


async def test_cancel_after_while_running_is_charged_for_the_time_run(
    simulator: ReplicateSimulator, client: httpx.AsyncClient
) -> None:
    simulator.use(Slow(queue_seconds=1, run_seconds=60))
    created = await create(client, headers={"cancel-after": "5"})
    simulator.advance(30)

    assert (await again(client, created))["status"] == "canceled"
    assert (simulator.bill().charged, simulator.bill().seconds) == (1, 4.0)


@pytest.mark.parametrize("header", ["4s", "soon", "0", "-9"])
async def test_a_cancel_after_that_is_none_is_refused(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.post(
        "/v1/predictions", json={"version": FLUX, "input": INPUT}, headers={"cancel-after": header}
    )

    assert answer.status_code == 422


async def test_a_cancel_before_the_start_costs_nothing(
    simulator: ReplicateSimulator, client: httpx.AsyncClient
) -> None:
    created = await create(client)

    canceled = (await client.post(created["urls"]["cancel"])).json()

    assert (canceled["status"], canceled["started_at"]) == ("canceled", None)
    assert simulator.bill().charged == 0


async def test_a_cancel_after_the_end_changes_nothing(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    created = await create(client)
    simulator.advance(10)

    assert (await client.post(created["urls"]["cancel"])).json()["status"] == "succeeded"


async def test_who_waits_gets_files_as_data_uris_and_the_status_processing() -> None:
    async with ReplicateSimulator() as simulator, asking(simulator.url) as client:
        waited = await create(client, headers={"prefer": "wait"}, input={"num_outputs": 2, "output_format": "png"})

        assert (waited["status"], len(waited["output"]), waited["logs"]) == ("processing", 2, "")
        assert waited["output"][0].startswith("data:image/png;base64,")
        assert base64.b64decode(waited["output"][0].partition(",")[2]).startswith(b"\x89PNG")
        assert (await again(client, waited))["output"][0].startswith(simulator.url)


async def test_who_waits_in_vain_gets_starting() -> None:
    async with ReplicateSimulator(faults=[Stuck(status="processing")]) as simulator, asking(simulator.url) as client:
        waited = await create(client, headers={"prefer": "wait=1"})

    assert waited["status"] == "starting"
    assert "output" not in waited


@pytest.mark.parametrize("header", ["wait=0", "wait=61", "wait=soon"])
async def test_a_wait_out_of_range_is_refused(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.post("/v1/predictions", json={"version": FLUX, "input": INPUT}, headers={"prefer": header})

    assert answer.status_code == 422


async def test_after_an_hour_everything_is_removed(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    created = await create(client)
    simulator.advance(3600)
    before = await again(client, created)
    simulator.advance(1)
    after = await again(client, created)

    assert before["data_removed"] is False
    assert (await client.get(before["output"][0])).status_code == 404
    assert {name: after[name] for name in ("data_removed", "input", "output", "logs", "status")} == {
        "data_removed": True,
        "input": {},
        "output": None,
        "logs": "",
        "status": "succeeded",
    }


async def test_the_same_seed_gives_the_same_prediction_and_the_same_bytes() -> None:
    seen = []
    for _ in range(2):
        simulator = ReplicateSimulator(seed=5, clock=noon(), public_url="http://r.test")
        async with simulator, asking(f"http://127.0.0.1:{simulator.port}") as client:
            made = await create(client)
            simulator.advance(1)
            got = (await client.get(f"/v1/predictions/{made['id']}")).json()
            file = await client.get(got["output"][0].removeprefix("http://r.test"))
            seen.append((got, file.content))

    assert seen[0] == seen[1]


async def test_reset_forgets_everything_but_faults_and_settings(
    simulator: ReplicateSimulator, client: httpx.AsyncClient
) -> None:
    simulator.use(Stuck(nth=(1,)))
    first = await create(client)

    assert (await client.post("/_simulator/reset")).json() == {"reset": True}

    second = await create(client)
    assert first["id"] == second["id"]
    assert simulator.bill().creates == 1
    assert simulator.faults() == [{"fault": "stuck", "nth": (1,), "seen": 1, "struck": 1}]
