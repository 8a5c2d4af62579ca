"""The catalogue over HTTP, and what a request would do before it does it."""

from typing import Any

import pytest

from gateway.callers import Caller, Scope
from generator_service.plan import plan
from schemas.catalogue import ModelCard, catalogue
from tests.fakes import Log
from tests.unit.gateway.http import calling
from tests.unit.gateway.test_app import SECRET, a_problem, said

FACES = ModelCard(
    name="acme/faces", provider="acme", description="Faces.", kind="image", outputs_per_call=4, cost_units=3,
    formats=("png", "jpg"), takes=("prompt", "num_outputs", "output_format"),
    input_schema={"type": "object", "properties": {"width": {"type": "integer", "maximum": 64}}},
)  # fmt: skip
MODELS = {**catalogue(), FACES.name: FACES}
ASK = {"model": "acme/faces", "prompt": SECRET, "num_outputs": 6}


class OneScope:
    """Lets everybody in for one thing."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def admit(self, headers: object) -> Caller:
        return Caller("dev", frozenset({self._scope}))


async def test_every_model_is_listed_with_its_maker_formats_and_a_link_to_its_schema() -> None:
    async with calling(models=MODELS) as client:
        listed = (await client.get("/api/v1/models")).json()["models"]
        shown = (await client.get(listed[0]["links"]["self"])).json()

    assert [model["name"] for model in listed] == sorted(MODELS)
    assert listed[0] == {
        "name": "acme/faces", "provider": "acme", "kind": "image", "formats": ["png", "jpg"], "description": "Faces.",
        "links": {"self": "/api/v1/models/acme/faces"},
    }  # fmt: skip
    assert shown == listed[0] | {"outputs_per_call": 4, "cost_units": 3, "input_schema": FACES.input_schema}


async def test_the_catalogue_is_not_sent_again_to_whoever_has_it() -> None:
    async with calling() as client:
        for path in ("/api/v1/models", "/api/v1/models/fake/painter"):
            first = await client.get(path)
            again = await client.get(path, headers={"If-None-Match": first.headers["ETag"]})
            other = await client.get(path, headers={"If-None-Match": '"other"'})

            assert (first.status_code, again.status_code, again.content, other.status_code) == (200, 304, b"", 200)
            assert again.headers["Cache-Control"] == "private, max-age=60"


@pytest.mark.parametrize("name", ["nobody/knows", "fake", "fake/painter/", "%2e%2e/%2e%2e/etc", "x" * 500, "%00"])
async def test_a_model_that_the_catalogue_does_not_have_is_404(name: str) -> None:
    async with calling() as client:
        a_problem(await client.get(f"/api/v1/models/{name}"), 404, "no-such-model")


async def test_the_catalogue_needs_the_scope_to_read() -> None:
    async with calling(door=OneScope(Scope.SUBMIT)) as client:
        answers = [await client.get("/api/v1/models"), await client.get("/api/v1/models/fake/painter")]

    for answer in answers:
        a_problem(answer, 403, "not-allowed")


async def test_an_input_against_its_models_schema_is_refused_and_nothing_is_published() -> None:
    log = Log()
    async with calling(log, models=MODELS) as client:
        body = ASK | {"input": {"width": SECRET, "prompt": SECRET}, "output_format": "gif"}
        own = await client.post("/api/v1/generate", json=body)
        wrong = await client.post("/api/v1/generate", json=body | {"input": {"width": SECRET}})

    assert [error["field"] for error in a_problem(own, 422, "invalid-input")["errors"]] == [
        "input.prompt", "output_format",
    ]  # fmt: skip
    assert a_problem(wrong, 422, "invalid-input")["errors"] == [
        {"field": "input.width", "reason": "must be a whole number"},
        {"field": "output_format", "reason": "acme/faces makes png, jpg"},
    ]
    assert log.records == []


async def test_what_is_passed_on_unchecked_or_not_sent_is_pointed_out() -> None:
    async with calling(models=MODELS) as client:
        answer = await client.post("/api/v1/generate", json=ASK | {"seed": 5, "input": {"widht": 64}})

    assert answer.status_code == 202
    assert answer.json()["warnings"] == [
        "input.widht is not known to the model: passed on unchecked", "seed is not taken by the model: it is not sent",
    ]  # fmt: skip


async def test_a_model_that_nobody_described_is_refused_only_when_that_is_wanted() -> None:
    log, ask = Log(), {"model": "fake/paintre", "prompt": SECRET, "input": {"a": 1}}
    async with calling(log) as open_client, calling(log, strict=True) as strict_client:
        taken = await open_client.post("/api/v1/generate", json=ask)
        refused = await strict_client.post("/api/v1/generate", json=ask)
        unlike = await strict_client.post("/api/v1/generate", json=ask | {"model": "qqqqqqqq"})
        known = await strict_client.post("/api/v1/generate", json=ask | {"model": "fake/painter"})

    assert taken.json()["warnings"] == ["the model is not in the catalogue: its input is not checked"]
    assert "did you mean fake/painter or" in a_problem(refused, 422, "unknown-model")["errors"][0]["reason"]
    assert a_problem(unlike, 422, "unknown-model")["errors"] == [
        {"field": "model", "reason": "is not in the catalogue"}
    ]
    assert (known.status_code, len(log.records)) == (202, 2)


async def test_a_dry_run_says_what_would_be_called_and_does_nothing() -> None:
    log, ask = Log(), ASK | {"output_format": "jpg", "input": {"width": 64, "mask": None}, "typo": 1}
    async with calling(log, models=MODELS) as client:
        answer = await client.post(
            "/api/v1/generate?dry_run=true", json=ask, headers={"Idempotency-Key": "order-1"}
        )  # fmt: skip
        published = list(log.records)
        job = await client.post("/api/v1/generate", json=ask, headers={"Idempotency-Key": "order-1"})

    assert (answer.status_code, published, job.status_code) == (200, [], 202)
    assert SECRET not in answer.text
    assert not answer.headers.keys() & {"location", "idempotency-key"}
    assert answer.json() == {
        "provider": "acme", "model": "acme/faces", "in_catalogue": True,
        "calls": [
            {"outputs": [0, 1, 2, 3], "parameters": {"num_outputs": 4, "output_format": "jpg"}},
            {"outputs": [4, 5], "parameters": {"num_outputs": 2, "output_format": "jpg"}},
        ],
        "input_fields": ["width"], "formats": ["png", "jpg"], "cost_units": 6,
        "warnings": ["unknown field ignored: typo"],
    }  # fmt: skip


@pytest.mark.parametrize(("seed", "seeds"), [(100, [100, 101, 102]), (None, [None, None, None])])
async def test_a_dry_run_shows_the_seed_of_each_call(seed: int | None, seeds: list[int | None]) -> None:
    ask = {"model": "fake/painter", "prompt": "p", "num_outputs": 3, "seed": seed}
    async with calling() as client:
        calls = (await client.post("/api/v1/generate?dry_run=1", json=ask)).json()["calls"]

    assert [call["parameters"]["seed"] for call in calls] == seeds


async def test_a_dry_run_of_a_model_that_nobody_described_knows_no_cost() -> None:
    async with calling() as client:
        quote = (await client.post("/api/v1/generate?dry_run=true", json={"model": "a/b", "prompt": "p"})).json()

    assert (quote["provider"], quote["in_catalogue"], quote["cost_units"], quote["formats"]) == (
        "fake",
        False,
        None,
        [],
    )


@pytest.mark.parametrize(
    "changes", [{"prompt": ""}, {"deadline": "2020-01-01T00:00:00Z"}, {"input": {"width": 65}}], ids=str
)
async def test_a_dry_run_refuses_what_the_run_would_refuse(changes: dict[str, Any]) -> None:
    async with calling(models=MODELS) as client:
        a_problem(await client.post("/api/v1/generate?dry_run=true", json=ASK | changes), 422, "invalid-input")


async def test_a_dry_run_that_cannot_be_meant_is_refused() -> None:
    log = Log()
    async with calling(log) as client:
        answer = await client.post("/api/v1/generate?dry_run=perhaps", json={"model": "m", "prompt": "p"})

    a_problem(answer, 422, "invalid-input")
    assert log.records == []


async def test_a_job_is_planned_as_its_dry_run_said() -> None:
    log, ask = Log(), ASK | {"seed": None}
    async with calling(log, models=MODELS) as client:
        quote = (await client.post("/api/v1/generate?dry_run=true", json=ask)).json()
        await client.post("/api/v1/generate", json=ask)

    planned = list(plan(said(log), lambda _: "acme", MODELS))
    assert [call["outputs"] for call in quote["calls"]] == [list(each.outputs) for each in planned]
    assert quote["cost_units"] == sum(each.cost_units for each in planned)
    assert {call["parameters"]["num_outputs"] for call in quote["calls"]} == {
        each.ask["num_outputs"] for each in planned
    }
