"""What is sent for a call, and what in a list may be it."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator_service.calls import Call
from generator_service.providers.replicate_input import Names, aimed_at, canonical, replicate_input

VERSION = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
ANOTHER = "2f779eb9b23b34fe171f8eaa021b8261566f0d2c10cd2674063e7dbcd351509e"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def a_call(**changes: Any) -> Call:
    facts: dict[str, Any] = {
        "generation_id": uuid4(), "attempt": 1, "outputs": (0,), "model": "owner/name", "prompt": "a lighthouse",
        "num_outputs": 1, "seed": 7, "output_format": None, "input": {},
    }  # fmt: skip
    return Call(**facts | changes)


def test_only_what_is_given_is_sent() -> None:
    assert replicate_input(a_call()) == {"prompt": "a lighthouse", "seed": 7}


def test_the_fields_with_names_win_over_the_input() -> None:
    call = a_call(input={"prompt": "another", "seed": 1, "width": 64, "mask": None}, output_format="png")

    assert replicate_input(call) == {"prompt": "a lighthouse", "seed": 7, "output_format": "png", "width": 64}


def test_nothing_in_the_input_makes_more_outputs_than_the_plan_covers() -> None:
    assert "num_outputs" not in replicate_input(a_call(input={"num_outputs": 4}))
    assert replicate_input(a_call(input={"num_outputs": 4}, num_outputs=2))["num_outputs"] == 2


def test_a_model_that_is_known_to_take_a_count_is_given_one() -> None:
    assert replicate_input(a_call(model="fake/painter-batch"))["num_outputs"] == 1


def test_a_field_that_the_model_does_not_take_is_left_out_and_a_count_that_it_takes_is_always_said() -> None:
    asked = a_call(output_format="png", input={"image": "x"})

    assert replicate_input(replace(asked, takes=["seed"])) == {"seed": 7, "image": "x"}
    assert replicate_input(replace(asked, takes=["prompt", "num_outputs"])) == {
        "prompt": "a lighthouse", "num_outputs": 1, "image": "x",
    }  # fmt: skip


@given(JSON)
def test_the_order_of_names_and_the_way_whole_numbers_are_written_make_no_difference(value: Any) -> None:
    def rewritten(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {name: rewritten(inner[name]) for name in reversed(inner)}
        if isinstance(inner, list):
            return [rewritten(one) for one in inner]
        whole = isinstance(inner, int) and not isinstance(inner, bool) and abs(inner) < 2**53
        return float(inner) if whole else inner

    assert canonical(rewritten(value)) == canonical(value)


def test_truth_is_no_number() -> None:
    assert canonical({"a": True}) != canonical({"a": 1})


@pytest.mark.parametrize(
    ("model", "aim"),
    [
        ("owner/name", {"model": "owner/name"}),
        (f"owner/name:{VERSION}", {"version": VERSION}),
        (VERSION, {"version": VERSION}),
        ("deployments/owner/name", {"deployment": "owner/name"}),
        ("owner/name:v1", None),
        ("name", None),
        ("../name", None),
        ("owner/name/", None),
    ],
)
def test_a_models_name_says_how_it_is_asked_for(model: str, aim: dict[str, str] | None) -> None:
    assert aimed_at(model) == aim


@pytest.mark.parametrize(
    ("asked", "model", "version", "same"),
    [
        ("owner/name", "owner/name", "hidden", True),
        ("owner/name", "owner/name", VERSION, True),
        ("owner/name", "somebody/else", "hidden", None),
        ("owner/name", "fake/painter", "hidden", False),
        (f"owner/name:{VERSION}", "owner/name", VERSION, True),
        (f"owner/name:{VERSION}", "owner/renamed", VERSION, True),
        (f"owner/name:{VERSION}", "owner/name", ANOTHER, False),
        (f"owner/name:{VERSION}", "owner/name", "hidden", True),
        (VERSION, "owner/name", VERSION, True),
        (VERSION, "owner/name", "hidden", None),
    ],
)
def test_a_model_is_compared_by_what_is_shown_of_it(asked: str, model: str, version: str, same: bool | None) -> None:
    assert Names().same(asked, model, version) is same


def test_a_deployment_is_known_by_its_name_when_it_is_shown() -> None:
    names = Names()

    assert names.same("deployments/acme/sdxl", "stability-ai/sdxl", "dp-1", "acme/sdxl") is True
    assert names.same("deployments/acme/sdxl", "stability-ai/sdxl", "dp-1", "acme/other") is False
    assert names.same("deployments/acme/sdxl", "stability-ai/sdxl", "dp-1") is None


def test_a_name_that_a_model_was_seen_under_is_its_own_and_nobody_elses() -> None:
    names = Names()
    names.learn("owner/name", "replicate/renamed")

    assert names.same("owner/name", "replicate/renamed", "hidden") is True
    assert names.same("owner/name", "somebody/else", "hidden") is False
    assert names.same("owner/second", "replicate/renamed", "hidden") is False
