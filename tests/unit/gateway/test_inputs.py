"""Inputs against the schemas of models, some of which mean no good."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.inputs import MOST_VALUES, Inputs, UncheckableError
from schemas.catalogue import OWN_FIELDS, ModelCard
from schemas.input_schema import MOST_VALUES as MOST_IN_A_SCHEMA

SECRET = "xylophone"
MODEL = "acme/portraits"
SDXL: dict[str, Any] = {
    "type": "object",
    "required": ["style"],
    "properties": {
        "style": {"enum": ["oil", "ink"], "type": "string"},
        "width": {"type": "integer", "minimum": 64, "maximum": 2048},
        "strength": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "watermark": {"type": "boolean"},
        "mask": {"type": ["string", "array"], "items": {"type": "object", "required": ["x"]}, "maxItems": 2},
        "loras": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 8}},
        "exact": {"const": "this"},
    },
}


def checking(schema: Mapping[str, Any]) -> Inputs:
    card = ModelCard(
        name=MODEL, provider="acme", description="", kind=None, outputs_per_call=1, cost_units=1,
        input_schema=dict(schema),
    )  # fmt: skip
    return Inputs({MODEL: card})


def refused(given: Mapping[str, Any], schema: Mapping[str, Any] = SDXL) -> dict[str, str]:
    """The reason for each bad field."""
    errors = checking(schema).errors(MODEL, given)
    assert SECRET not in repr(errors)
    return {error.field: error.reason for error in errors}


def within(seconds: float, given: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, str]:
    """The same, when it is said in time."""
    inputs, start = checking(schema), time.perf_counter()
    errors = inputs.errors(MODEL, given)
    assert time.perf_counter() - start < seconds
    return {error.field: error.reason for error in errors}


def test_an_input_that_keeps_its_schema_passes() -> None:
    assert refused({"style": "ink", "width": 64, "strength": 0.5, "watermark": False, "mask": [{"x": 1}]}) == {}


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"style": SECRET}, "input.style", "must be one of oil, ink"),
        ({"width": SECRET}, "input.width", "must be a whole number"),
        ({"width": 63}, "input.width", "must be at least 64"),
        ({"width": 2049}, "input.width", "must be at most 2048"),
        ({"width": 100.5}, "input.width", "must be a whole number"),
        ({"width": True}, "input.width", "must be a whole number"),
        ({"width": 10**40}, "input.width", "must be at most 2048"),
        ({"strength": 0}, "input.strength", "must be more than 0"),
        ({"watermark": 1}, "input.watermark", "must be true or false"),
        ({"mask": {"a": SECRET}}, "input.mask", "must be text or a list"),
        ({"mask": [{"x": 1}, {"y": SECRET}]}, "input.mask.1", "must have x"),
        ({"mask": ["a", "b", SECRET]}, "input.mask", "must have at most 2 entries"),
        ({"loras": ["abc", SECRET[:3].upper()]}, "input.loras.1", "must match ^[a-z]+$"),
        ({"loras": [SECRET]}, "input.loras.0", "must have at most 8 characters"),
        ({"exact": SECRET}, "input.exact", "must be this"),
    ],
    ids=str,
)
def test_a_bad_field_is_named_with_what_the_schema_wants(given: dict[str, Any], field: str, reason: str) -> None:
    reasons = refused({"style": "oil"} | given)

    assert list(reasons) == [field]
    assert reason in reasons[field]


def test_every_bad_field_is_named_at_once() -> None:
    assert refused({"width": 1, "watermark": SECRET, "other": 1}, SDXL | {"additionalProperties": False}) == {
        "input.style": "is required by the model",
        "input.width": "must be at least 64",
        "input.watermark": "must be true or false",
        "input.other": "is not known to the model",
    }


def test_what_concerns_no_single_field_is_said_of_the_input() -> None:
    either = SDXL | {"dependentRequired": {"mask": ["width"]}, "required": []}

    assert list(refused({"mask": "x"}, either)) == ["input"]


@pytest.mark.parametrize("name", OWN_FIELDS)
@pytest.mark.parametrize("model", [MODEL, "nobody/knows"])
def test_a_field_that_stands_beside_the_input_may_not_stand_in_it(name: str, model: str) -> None:
    errors = checking({"type": "object"}).errors(model, {name: 1, "width": 64})

    assert [error.field for error in errors] == [f"input.{name}"]
    assert f"send `{name}` beside `input`" in errors[0].reason


def test_null_is_what_is_not_sent() -> None:
    assert refused({"style": "oil", "width": None}) == {}
    assert refused({"style": None}) == {"input.style": "is required by the model"}


def test_the_input_of_a_model_that_nobody_described_is_not_checked() -> None:
    assert checking(SDXL).errors("nobody/knows", {"width": "wide"}) == []


def test_fields_that_the_schema_does_not_describe_are_told_unless_it_describes_none() -> None:
    assert checking(SDXL).unknown(MODEL, {"style": "oil", "widht": 64, "Width": 64}) == ["Width", "widht"]
    assert checking({"type": "object"}).unknown(MODEL, {"widht": 64}) == []
    assert checking(SDXL | {"patternProperties": {"^w": {}}}).unknown(MODEL, {"widht": 64}) == []
    assert checking(SDXL).unknown("nobody/knows", {"widht": 64}) == []


def test_a_pattern_that_others_take_for_ever_over_is_decided_at_once() -> None:
    catastrophe = {"type": "object", "properties": {"a": {"pattern": "^(a|aa)+$"}, "b": {"pattern": "(x+x+)+y"}}}

    assert within(0.5, {"a": "a" * 60_000 + "!", "b": "x" * 60_000}, catastrophe).keys() == {"input.a", "input.b"}


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(", "(.{1000}){1000}"])
def test_a_pattern_that_cannot_be_run_in_bounds_is_refused_beforehand(pattern: str) -> None:
    with pytest.raises(UncheckableError, match=f"{MODEL}: input_schema: .*is not a"):
        checking({"type": "object", "properties": {"a": {"pattern": pattern}}})


@pytest.mark.parametrize(
    "shape",
    [
        {"enum": [f"y{n}" for n in range(MOST_IN_A_SCHEMA - 10)]},
        {"enum": [{"y": n} for n in range(MOST_IN_A_SCHEMA // 2 - 10)]},
        {"anyOf": [{"const": f"y{n}"} for n in range(MOST_IN_A_SCHEMA // 2 - 10)]},
        {"oneOf": [{"const": f"y{n}"} for n in range(MOST_IN_A_SCHEMA // 2 - 10)]},
    ],
    ids=["enum", "enum of objects", "anyOf", "oneOf"],
)
def test_the_largest_schema_and_the_largest_input_are_done_with_soon(shape: dict[str, Any]) -> None:
    large = {"type": "object", "properties": {"a": {"type": "array", "items": shape}}}

    assert "input.a.0" in within(3, {"a": [f"x{n}" for n in range(MOST_VALUES - 2)]}, large)


def test_an_input_with_more_values_than_can_be_checked_is_refused() -> None:
    assert refused({"a": [0] * MOST_VALUES}) == {"input": f"holds more than {MOST_VALUES} values"}
    assert refused({"a": [[0] * 500, [0] * 500]}) == {"input": f"holds more than {MOST_VALUES} values"}
    assert refused({"style": "oil", "a": [0] * (MOST_VALUES - 3)}) == {}
