"""The models we know."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import OWN_FIELDS, CatalogueError, ModelCard, catalogue, maker_of, routes_in, split

CARD = {"name": "acme/portraits", "provider": "acme", "description": "Faces.", "outputs_per_call": 4}


def kept(folder: Path, **changes: Any) -> str:
    """A folder with one card."""
    (folder / "card.json").write_text(json.dumps(CARD | changes))
    return str(folder)


def test_every_card_is_found_under_its_own_name() -> None:
    assert {name: card.name for name, card in catalogue().items()} == {name: name for name in catalogue()}
    assert {"fake/painter", "fake/painter-batch", "fake/tones"} <= set(catalogue())


@pytest.mark.parametrize("card", catalogue().values(), ids=lambda card: card.name)
def test_every_packaged_model_makes_at_least_one_format_and_says_what_it_takes(card: ModelCard) -> None:
    properties = card.input_schema["properties"]
    assert card.formats
    assert isinstance(properties, dict)
    assert not properties.keys() & set(OWN_FIELDS)


@pytest.mark.parametrize(("model", "outputs"), [("fake/painter", 1), ("fake/painter-batch", 10), ("nobody/knows", 10)])
def test_a_model_that_nobody_described_takes_all_outputs_at_once(model: str, outputs: int) -> None:
    assert len(split(catalogue().get(model), 10)[0]) == outputs


@given(st.integers(1, 10), st.integers(1, 10))
def test_every_output_is_in_one_call_and_no_call_is_larger_than_allowed(per_call: int, num_outputs: int) -> None:
    calls = split(ModelCard.model_validate(CARD | {"outputs_per_call": per_call}), num_outputs)

    assert [index for call in calls for index in call] == list(range(num_outputs))
    assert all(1 <= len(call) <= per_call for call in calls)


def test_cards_of_ones_own_come_beside_the_packaged_ones_and_over_them(tmp_path: Path) -> None:
    kept(tmp_path)
    (tmp_path / "mine.json").write_text(json.dumps(CARD | {"name": "fake/painter", "cost_units": 7}))

    models = catalogue(str(tmp_path))

    assert models.keys() == catalogue().keys() | {"acme/portraits"}
    assert (models["fake/painter"].cost_units, catalogue()["fake/painter"].cost_units) == (7, 1)


def test_the_catalogue_is_read_once(tmp_path: Path) -> None:
    first = catalogue(kept(tmp_path))

    assert catalogue(kept(tmp_path, description="Other faces.")) is first


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "acme/../x y"}, "card.json: name: String should match pattern"),
        ({"outputs_per_call": 11}, "card.json: outputs_per_call: Input should be less than or equal to 10"),
        ({"colour": "red"}, "card.json: colour: Extra inputs are not permitted"),
        ({"takes": ["width"]}, "card.json: takes.0: Input should be 'prompt', 'seed', 'num_outputs' or"),
        ({"input_schema": {"$ref": "http://127.0.0.1:9"}}, "card.json: input_schema: Value error, must have the type"),
    ],
)
def test_a_card_that_cannot_be_used_is_named_with_the_reason(changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=why.replace("[", r"\[").replace(".", r"\.")):
        catalogue(kept(tmp_path, **changes))


def test_a_file_that_is_no_json_and_a_folder_that_is_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")

    with pytest.raises(CatalogueError, match=r"broken\.json: Expecting"):
        catalogue(str(tmp_path))
    with pytest.raises(CatalogueError, match="gone is no folder"):
        catalogue(str(tmp_path / "gone"))


@pytest.mark.parametrize(
    ("model", "provider"),
    [("acme/own", "cog"), ("acme/x", "elsewhere"), ("fake/painter", "fake"), ("x/y", "replicate")],
)
def test_a_route_wins_over_the_catalogue_and_the_catalogue_over_the_default(model: str, provider: str) -> None:
    routes = routes_in("acme/own=cog, acme/*=elsewhere")

    assert maker_of(model, routes, "replicate", catalogue()) == provider
