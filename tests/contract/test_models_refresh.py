"""`darkroom models refresh` against a simulated Replicate: cards that the gateway and the generator can use."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from darkroom.cli import cli
from darkroom.refreshing import Refreshed, refreshed
from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults import GatewayError
from darkroom.simulators.replicate.models import MODELS
from gateway.inputs import Inputs, UncheckableError
from generator_service.providers.describing import Undescribable
from generator_service.providers.replicate_cards import card_of
from schemas.catalogue import ModelCard, catalogue, read_card

FLUX, SDXL, MUSIC = "black-forest-labs/flux-schnell", "stability-ai/sdxl", "meta/musicgen"
TOKEN = "r8_made_up"


@pytest.fixture
async def simulator() -> AsyncIterator[ReplicateSimulator]:
    async with ReplicateSimulator(token=TOKEN) as simulator:
        yield simulator


async def refresh(simulator: ReplicateSimulator, folder: Path, *names: str, token: str = TOKEN) -> list[Refreshed]:
    return await refreshed({"REPLICATE_API_TOKEN": token, "REPLICATE_BASE_URL": simulator.url}, folder, names)


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


async def test_a_model_becomes_a_card_with_everything_its_schema_says(
    simulator: ReplicateSimulator, tmp_path: Path
) -> None:
    [done] = await refresh(simulator, tmp_path, FLUX)

    card = read_card(tmp_path / "black-forest-labs--flux-schnell.json")
    assert (done.good, done.what) == (True, "written")
    assert (card.name, card.provider, card.kind) == (FLUX, "replicate", "image")
    assert (card.outputs_per_call, card.formats) == (4, ("webp", "jpg", "png"))
    assert card.takes == ("prompt", "seed", "num_outputs", "output_format")
    assert card.input_schema["properties"]["width"]["maximum"] == 2048  # type: ignore[index, call-overload]
    assert Inputs({FLUX: card}).errors(FLUX, {"width": 64, "aspect_ratio": "16:9"}) == []
    assert [error.field for error in Inputs({FLUX: card}).errors(FLUX, {"width": 63})] == ["input.width"]


async def test_a_version_is_described_under_its_own_name_and_a_sound_is_one_per_call(
    simulator: ReplicateSimulator, tmp_path: Path
) -> None:
    version = next(f"{SDXL}:{model.versions[1]}" for model in MODELS if model.name == SDXL)

    assert [done.good for done in await refresh(simulator, tmp_path, version, MUSIC)] == [True, True]

    models = catalogue(str(tmp_path))
    assert models[version].formats == ("png",)
    assert (models[MUSIC].kind, models[MUSIC].outputs_per_call) == ("audio", 1)
    assert "num_outputs" not in (models[MUSIC].takes or ())


async def test_a_refresh_keeps_what_is_ours_and_a_repeat_changes_nothing(
    simulator: ReplicateSimulator, tmp_path: Path
) -> None:
    await refresh(simulator, tmp_path, FLUX)
    path = tmp_path / "black-forest-labs--flux-schnell.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"cost_units": 7, "description": "Old words."}))

    first, again = [await refresh(simulator, tmp_path) for _ in range(2)]

    assert ([done.what for done in first], [done.what for done in again]) == (["written anew"], ["as it was"])
    assert (read_card(path).cost_units, read_card(path).description) == (7, "Pictures in four steps.")


@pytest.mark.parametrize(
    ("name", "token", "why"),
    [
        ("nobody/knows", TOKEN, "there is no such model"),
        ("nonsense", TOKEN, "is no name at Replicate"),
        ("meta/meta-llama-3-8b-instruct", TOKEN, "makes no files"),
        (FLUX, "r8_another", "the token is not accepted"),
    ],
)
async def test_what_cannot_be_described_is_said_and_nothing_is_written(
    name: str, token: str, why: str, simulator: ReplicateSimulator, tmp_path: Path
) -> None:
    [done] = await refresh(simulator, tmp_path, name, token=token)

    assert (done.good, why in done.what) == (False, True)
    assert token not in done.what
    assert texts(tmp_path) == {}


async def test_a_card_stays_as_it_was_while_replicate_does_not_answer(
    simulator: ReplicateSimulator, tmp_path: Path
) -> None:
    await refresh(simulator, tmp_path, FLUX, SDXL)
    before = texts(tmp_path)
    simulator.use(GatewayError(on="model", nth=(1,)))

    done = await refresh(simulator, tmp_path)

    assert sorted(each.good for each in done) == [False, True]
    assert texts(tmp_path) == before


def described(**properties: Any) -> ModelCard:
    schemas = {
        "Input": {"type": "object", "properties": properties},
        "Output": {"type": "string", "format": "uri"},
        "style": {"enum": ["oil", "ink"], "type": "string"},
        "loop": {"items": {"$ref": "#/components/schemas/loop"}},
    }
    return card_of("acme/x", "Faces.", {"components": {"schemas": schemas}}, "https://replicate.delivery/a/out.MP4?x=1")


def test_what_a_schema_points_to_is_written_in_its_place() -> None:
    pointing = {"allOf": [{"$ref": "#/components/schemas/style"}], "default": "oil", "x-order": 1}

    card = described(style=pointing, mask={"type": "string", "format": "uri", "nullable": True})

    assert card.input_schema["properties"] == {
        "style": {"enum": ["oil", "ink"], "type": "string", "default": "oil", "x-order": 1},
        "mask": {"type": ["string", "null"], "format": "uri", "nullable": True},
    }
    assert (card.kind, card.formats, card.takes) == ("video", (), ())


@pytest.mark.parametrize("name", ["loop", "nowhere"])
def test_a_schema_that_leads_back_into_itself_or_nowhere_makes_no_card(name: str) -> None:
    with pytest.raises(Undescribable):
        described(a={"$ref": f"#/components/schemas/{name}"})


@pytest.mark.parametrize("schema", [None, [], {}, {"components": {"schemas": {"Input": 1, "Output": {}}}}], ids=repr)
def test_what_is_no_schema_makes_no_card(schema: Any) -> None:
    with pytest.raises(Undescribable):
        card_of("acme/x", None, schema, None)


async def test_patterns_that_could_take_for_ever_are_left_to_the_provider(
    simulator: ReplicateSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = described(a={"type": "string", "pattern": "^(?=a)b"})

    async def describe(*_: Any) -> ModelCard:
        return hostile

    monkeypatch.setattr("generator_service.providers.replicate_describer.ReplicateDescriber.describe", describe)
    [done] = await refresh(simulator, tmp_path, "acme/x")

    assert done.what == "written, without its patterns: one cannot be checked in bounded time"
    assert read_card(tmp_path / "acme--x.json").input_schema["properties"] == {"a": {"type": "string"}}


@pytest.mark.parametrize("place", ["url", "file", "nowhere"])
async def test_nothing_is_fetched_for_a_schema_though_it_could_be(
    place: str, simulator: ReplicateSimulator, tmp_path: Path
) -> None:
    (tmp_path / "schema.json").write_text("{}")
    places = {
        "url": f"{simulator.url}/_simulator/bill", "file": (tmp_path / "schema.json").as_uri(), "nowhere": "#/nowhere"
    }  # fmt: skip
    # Past the catalogue, which refuses a $ref first.
    pointing = {"type": "object", "properties": {"a": {"$ref": places[place]}}}
    card = described().model_copy(update={"input_schema": pointing})

    with pytest.raises(UncheckableError):
        await asyncio.to_thread(Inputs, {card.name: card})


def darkroom(*arguments: str, **environ: str) -> Result:
    return CliRunner(env={"MODELS_DIRECTORY": None, **environ}).invoke(cli, ["models", *arguments])


async def test_the_command_refreshes_lists_and_shows(simulator: ReplicateSimulator, tmp_path: Path) -> None:
    told = {"REPLICATE_API_TOKEN": TOKEN, "REPLICATE_BASE_URL": simulator.url, "MODELS_DIRECTORY": str(tmp_path)}

    done = await asyncio.to_thread(darkroom, "refresh", FLUX, "nobody/knows", "--json", **told)
    listed = darkroom("list", **told)
    shown = darkroom("show", FLUX, **told)

    assert (done.exit_code, [each["good"] for each in json.loads(done.stdout)]) == (1, [True, False])
    assert listed.stdout.splitlines()[0].split()[:2] == ["MODEL", "PROVIDER"]
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == sorted(catalogue(str(tmp_path)))
    assert json.loads(shown.stdout)["name"] == FLUX


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("refresh", FLUX), 2, "MODELS_DIRECTORY is not set"),
        (("refresh", FLUX, "--directory", "."), 2, "REPLICATE_API_TOKEN is not set"),
        (("show", "nobody/knows"), 1, "nobody/knows is not in the catalogue"),
        (("list", "--directory", "nowhere"), 2, "nowhere is no folder"),
    ],
    ids=str,
)
def test_what_is_missing_is_said_in_one_line(
    arguments: tuple[str, ...], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REPLICATE_API_TOKEN", raising=False)

    ended = darkroom(*arguments)

    assert (ended.exit_code, says in ended.stderr, ended.stderr.count("\n")) == (code, True, 1)
