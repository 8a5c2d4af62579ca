"""Which schemas requests are checked against."""

from itertools import count
from typing import Any

import pytest

from schemas.input_schema import DEEPEST, MOST_BYTES, MOST_PATTERNS, MOST_VALUES, bounded, without_patterns


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({}, "must have the type object"),
        ({"type": "array"}, "must have the type object"),
        ({"type": "object", "properties": []}, "properties must be an object"),
        (of(a={"$ref": "https://elsewhere.example/schema"}), r"holds \$ref"),
        (of(a={"$ref": "#"}), r"holds \$ref"),
        (of(a={"items": [{"$dynamicRef": "#meta"}]}), r"holds \$dynamicRef"),
        ({"type": "object", "$id": "https://elsewhere.example"}, r"holds \$id"),
        ({"type": "object", "$defs": {}}, r"holds \$defs"),
        (of(a=nested(DEEPEST)), f"is nested deeper than {DEEPEST}"),
        (of(a=nested(500)), f"is nested deeper than {DEEPEST}"),
        (of(a={"enum": list(range(MOST_VALUES))}), f"holds more than {MOST_VALUES} values"),
        (of(a={"description": "x" * MOST_BYTES}), f"or {MOST_BYTES} bytes"),
        (of(**{f"p{n}": {"pattern": "a"} for n in range(MOST_PATTERNS + 1)}), f"more than {MOST_PATTERNS} patterns"),
        (of(a={"patternProperties": {f"p{n}": {} for n in range(MOST_PATTERNS + 1)}}), "patterns"),
    ],
    ids=count(),
)
def test_a_schema_that_points_elsewhere_or_is_too_large_is_refused(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        bounded(schema)


def test_a_schema_as_providers_write_them_is_taken_as_it_is() -> None:
    schema = of(
        width={"type": "integer", "minimum": 64, "maximum": 2048, "default": 1024, "x-order": 1},
        scheduler={"enum": ["DDIM", "K_EULER"], "type": "string"},
        pattern={"type": "string", "pattern": "^a"},
    )

    assert bounded(schema) is schema


def test_patterns_are_taken_out_but_not_a_field_of_that_name() -> None:
    schema = of(pattern={"type": "string", "pattern": "(?=a)"}, a={"items": [{"pattern": "x"}]})

    assert without_patterns(schema) == of(pattern={"type": "string"}, a={"items": [{}]})
