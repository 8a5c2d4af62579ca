"""What is wrong with an input, in the words Replicate uses (those of gojsonschema)."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

NAMES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}
ROOT = "(root)"
CREATE_FIELDS: dict[str, type] = {
    "version": str,
    "input": dict,
    "webhook": str,
    "webhook_completed": str,  # old, but `replicate` 1.0.7 can still send it
    "webhook_events_filter": list,
    "stream": bool,
}
EVENTS = ("start", "output", "logs", "completed")


class InvalidField(NamedTuple):
    """One thing wrong."""

    type: str
    field: str
    description: str


def wrong_in_body(body: Mapping[str, Any]) -> list[InvalidField]:
    """What is wrong with the body of a create, its input aside."""
    found = [
        InvalidField("additional_property_not_allowed", ROOT, f"Additional property {name} is not allowed")
        for name in body
        if name not in CREATE_FIELDS
    ]
    found += [
        _wrong_type(name, next(word for word, kind in NAMES.items() if kind is wanted), body[name])
        for name, wanted in CREATE_FIELDS.items()
        if name in body and not isinstance(body[name], wanted)
    ]
    if "input" not in body:
        found.append(InvalidField("required", ROOT, "input is required"))
    events = body.get("webhook_events_filter")
    for place, event in enumerate(events if isinstance(events, list) else []):
        if event not in EVENTS:
            found.append(_not_among(f"webhook_events_filter.{place}", EVENTS))
    return found


def wrong_in_input(given: Mapping[str, Any], schema: Mapping[str, Any]) -> list[InvalidField]:
    """What is wrong with an input against a model's `openapi_schema`."""
    schemas = schema["components"]["schemas"]
    shape = schemas["Input"]
    found = [
        InvalidField("required", "input", f"{name} is required") for name in shape["required"] if name not in given
    ]
    for name, value in given.items():
        if name not in shape["properties"]:
            words = f"Additional property {name} is not allowed"
            found.append(InvalidField("additional_property_not_allowed", "input", words))
        else:
            found += _wrong_in_field(f"input.{name}", value, shape["properties"][name], schemas)
    return found


def _wrong_in_field(
    field: str, value: Any, shape: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[InvalidField]:
    if "allOf" in shape:
        allowed = schemas[shape["allOf"][0]["$ref"].rpartition("/")[2]]["enum"]
        if value not in allowed:
            yield _not_among(field, allowed)
        return
    fits = isinstance(value, NAMES[shape["type"]]) and (shape["type"] == "boolean") is isinstance(value, bool)
    if not fits:
        yield _wrong_type(field, shape["type"], value)
        return
    if "minimum" in shape and value < shape["minimum"]:
        yield InvalidField("number_gte", field, f"Must be greater than or equal to {shape['minimum']}")
    if "maximum" in shape and value > shape["maximum"]:
        yield InvalidField("number_lte", field, f"Must be less than or equal to {shape['maximum']}")


def _wrong_type(field: str, wanted: str, value: Any) -> InvalidField:
    given = "null" if value is None else "boolean" if isinstance(value, bool) else ""
    given = given or next((word for word, kind in NAMES.items() if isinstance(value, kind)), "null")
    return InvalidField("invalid_type", field, f"Invalid type. Expected: {wanted}, given: {given}")


def _not_among(field: str, allowed: tuple[str, ...] | list[str]) -> InvalidField:
    listed = ", ".join(f'"{value}"' for value in allowed)
    return InvalidField("enum", field, f"{field} must be one of the following: {listed}")
