"""The names of fields and headers, status codes and forms of times: what was seen of the real API, in one file."""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from darkroom.simulators import ReplicateSimulator
from tests.contract.simulated import FLUX, SDXL, asking, create, noon

SEEN = Path(__file__).with_name("simulator_shapes") / "replicate.json"
GOLDEN: dict[str, dict[str, Any]] = json.loads(SEEN.read_text())
INPUT = {"prompt": "a lighthouse"}
Call = Callable[[ReplicateSimulator, httpx.AsyncClient], Awaitable[httpx.Response]]


async def creating(_: ReplicateSimulator, client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/v1/predictions", json={"version": FLUX, "input": INPUT})


async def creating_and_waiting(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> httpx.Response:
    simulator.clock.resume()
    headers = {"prefer": "wait=10"}
    return await client.post(f"/v1/models/{FLUX}/predictions", json={"input": INPUT}, headers=headers)


async def getting(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> httpx.Response:
    prediction = await create(client)
    simulator.advance(10)
    return await client.get(prediction["urls"]["get"])


async def canceling(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> httpx.Response:
    prediction = await create(client)
    simulator.advance(0.2)
    return await client.post(prediction["urls"]["cancel"])


CALLS: dict[str, Call] = {
    "create": creating,
    "create_waiting": creating_and_waiting,
    "get": getting,
    "cancel": canceling,
    "list": lambda _, client: client.get("/v1/predictions"),
    "model": lambda _, client: client.get(f"/v1/models/{SDXL}"),
    "secret": lambda _, client: client.get("/v1/webhooks/default/secret"),
    "unauthenticated": lambda _, client: client.post("/v1/predictions", json={}, headers={"authorization": ""}),
    "not_found": lambda _, client: client.post("/v1/models/a/b/predictions", json={"input": {}}),
    "invalid": lambda _, client: client.post("/v1/predictions", json={"version": FLUX, "input": {}, "more": 1}),
}


@pytest.mark.parametrize("name", GOLDEN)
async def test_an_answer_has_the_shape_that_was_seen(name: str) -> None:
    async with ReplicateSimulator(clock=noon()) as simulator, asking(simulator.url) as client:
        answer = await CALLS[name](simulator, client)

    golden, body = GOLDEN[name], answer.json()
    assert answer.status_code == golden["status"]
    assert answer.headers["content-type"] == golden["content_type"]
    assert {name: answer.headers.get(name) for name in golden["headers"]} == golden["headers"]
    assert sorted(body) == golden["fields"]
    for nested in set(golden) - {"status", "content_type", "headers", "fields"}:
        assert sorted(body[nested]) == golden[nested]


async def test_a_listed_prediction_has_the_shape_of_a_cancelled_one() -> None:
    async with ReplicateSimulator() as simulator, asking(simulator.url) as client:
        await create(client)
        (listed,) = (await client.get("/v1/predictions")).json()["results"]

    assert sorted(listed) == GOLDEN["cancel"]["fields"]


async def test_times_have_nine_digits_at_first_and_up_to_six_later() -> None:
    clock = noon()
    clock.advance(0.360785)
    async with ReplicateSimulator(clock=clock) as simulator, asking(simulator.url) as client:
        created = await create(client)
        seen = (await client.get(created["urls"]["get"])).json()
        (listed,) = (await client.get("/v1/predictions")).json()["results"]

    assert re.fullmatch(r"2026-03-01T12:00:00\.360785\d{1,3}Z", created["created_at"])
    assert seen["created_at"] == listed["created_at"] == "2026-03-01T12:00:00.360785Z"


async def test_ids_look_like_real_ones_and_are_the_same_for_the_same_seed() -> None:
    ids = []
    for seed in (7, 7, 8):
        async with ReplicateSimulator(seed=seed) as simulator, asking(simulator.url) as client:
            ids.append((await create(client))["id"])

    assert re.fullmatch(r"[0-9a-z]{26}", ids[0])
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("body", "field", "kind"),
    [
        ({"version": FLUX, "input": {}}, "input", "required"),
        ({"version": FLUX}, "(root)", "required"),
        ({"version": FLUX, "input": INPUT, "idempotency_key": "x"}, "(root)", "additional_property_not_allowed"),
        ({"version": FLUX, "input": INPUT | {"num_outputs": 9}}, "input.num_outputs", "number_lte"),
        ({"version": FLUX, "input": INPUT | {"num_outputs": "2"}}, "input.num_outputs", "invalid_type"),
        ({"version": FLUX, "input": INPUT | {"output_format": "gif"}}, "input.output_format", "enum"),
        ({"version": FLUX, "input": INPUT | {"colour": "red"}}, "input", "additional_property_not_allowed"),
        ({"version": FLUX, "input": INPUT, "webhook_events_filter": ["end"]}, "webhook_events_filter.0", "enum"),
    ],
)
async def test_what_is_wrong_with_a_body_is_named(body: dict[str, Any], field: str, kind: str) -> None:
    async with ReplicateSimulator() as simulator, asking(simulator.url) as client:
        answer = await client.post("/v1/predictions", json=body)

        (wrong,) = answer.json()["invalid_fields"]
        assert (answer.status_code, wrong["field"], wrong["type"]) == (422, field, kind)
        assert simulator.bill().charged == 0


@pytest.mark.parametrize("version", ["0" * 64, "nobody/nothing", SDXL, f"{SDXL}:{'0' * 64}"])
async def test_an_unknown_version_is_refused(version: str) -> None:
    async with ReplicateSimulator() as simulator, asking(simulator.url) as client:
        answer = await client.post("/v1/predictions", json={"version": version, "input": INPUT})

    assert (answer.status_code, answer.json()["title"]) == (422, "Invalid version or not permitted")


async def test_any_model_takes_what_nobody_described() -> None:
    async with ReplicateSimulator(any_model=True) as simulator, asking(simulator.url) as client:
        prediction = await create(client, version="acme/unheard-of", input={"whatever": 1})

    assert prediction["model"] == "acme/unheard-of"
