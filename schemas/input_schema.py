"""Pure: which JSON Schemas we check requests against. A provider's schema comes from outside: it must not hang us.

Checking costs at most the values of the schema times the values of the input, so both have a limit, and nothing in a
schema may point elsewhere: neither over the network nor back into itself.
"""

import json
from collections.abc import Iterator

from pydantic import JsonValue

MOST_BYTES = 64 * 1_024
MOST_VALUES = 4_096
DEEPEST = 32
MOST_PATTERNS = 16

Schema = dict[str, JsonValue]


def bounded(schema: Schema) -> Schema:
    """`schema`, when it may be used. `ValueError` says why not."""
    if schema.get("type") != "object":
        raise ValueError("must have the type object")
    if not isinstance(schema.get("properties", {}), dict):
        raise ValueError("properties must be an object")
    values = patterns = 0
    for value, depth in _walked(schema, 0):
        values += 1
        if depth > DEEPEST:
            raise ValueError(f"is nested deeper than {DEEPEST}")
        if isinstance(value, dict):
            _closed(value)
            patterns += isinstance(value.get("pattern"), str) + _size(value.get("patternProperties"))
    if values > MOST_VALUES or len(json.dumps(schema)) > MOST_BYTES:
        raise ValueError(f"holds more than {MOST_VALUES} values or {MOST_BYTES} bytes")
    if patterns > MOST_PATTERNS:
        raise ValueError(f"holds more than {MOST_PATTERNS} patterns")
    return schema


def without_patterns(schema: Schema) -> Schema:
    """The same schema, taking any text where it asked for a pattern."""

    def bare(value: JsonValue) -> JsonValue:
        if isinstance(value, dict):
            return {name: bare(inner) for name, inner in value.items() if not _is_pattern(name, inner)}
        return [bare(inner) for inner in value] if isinstance(value, list) else value

    return {name: bare(value) for name, value in schema.items() if not _is_pattern(name, value)}


def _is_pattern(name: str, value: JsonValue) -> bool:
    return name == "patternProperties" or (name == "pattern" and isinstance(value, str))


def _closed(value: dict[str, JsonValue]) -> None:
    """Refuse `$ref` and its like: `$ref`, `$dynamicRef`, `$id`, `$schema` and so on."""
    for name in value:
        if name.startswith("$"):
            raise ValueError(f"holds {name[:32]}: write out what it points to")


def _walked(value: JsonValue, depth: int) -> Iterator[tuple[JsonValue, int]]:
    """Every value inside, itself included. No deeper than one step below what is allowed."""
    yield value, depth
    if depth > DEEPEST:
        return
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _walked(each, depth + 1)


def _size(value: JsonValue) -> int:
    return len(value) if isinstance(value, dict) else 0
