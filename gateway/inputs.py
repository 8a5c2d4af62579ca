"""Whether a model can work with an `input`, said before anything is published.

The schemas come from providers. None of them is followed anywhere, none runs a pattern that could take more than linear
time, and an input with more values than a check can afford is refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
from pydantic import JsonValue

from gateway.problems import FieldError
from schemas.catalogue import OWN_FIELDS, ModelCard

MOST_VALUES = 1_000
"""Values of an input that is checked. With the worst schema that is allowed this takes 0.45 s."""
PATTERN_BYTES = 100_000
"""What a compiled pattern may take; an ordinary one takes a few thousand."""
SHOWN = 64
"""Characters of a name that the caller made up, when it is given back."""
TYPES = {"object": "an object", "array": "a list", "string": "text", "integer": "a whole number", "number": "a number",
         "boolean": "true or false", "null": "null"}  # fmt: skip
WORDS = {
    "const": "must be {expected_value}",
    "minimum": "must be at least {limit}",
    "maximum": "must be at most {limit}",
    "exclusiveMinimum": "must be more than {limit}",
    "exclusiveMaximum": "must be less than {limit}",
    "multipleOf": "must be a multiple of {multiple_of}",
    "minLength": "must have at least {limit} characters",
    "maxLength": "must have at most {limit} characters",
    "minItems": "must have at least {limit} entries",
    "maxItems": "must have at most {limit} entries",
    "required": "must have {property}",
    "pattern": "must match {pattern}",
    "format": "must be a {format}",
}
MOST_OPTIONS = 20
"""Of a long list of what may be there, given back."""

Validator = jsonschema_rs.Draft202012Validator


class UncheckableError(ValueError):
    """A model's schema cannot be used to check an input: says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """A model's schema, ready to be used: whole, and each field alone, which stops at the first thing wrong with it.

    Listing everything that is wrong with the whole could take minutes and gigabytes over a hostile schema.
    """

    whole: Validator
    fields: Mapping[str, Validator]
    required: tuple[str, ...]
    others: bool
    """Whether it says of fields that it does not describe what may be in them, or that there may be none."""
    closed: bool

    @classmethod
    def of(cls, card: ModelCard) -> "Check":
        """The check that a card describes. `UncheckableError` escapes when its schema is none."""
        schema = card.input_schema
        shapes, required = schema.get("properties"), schema.get("required")
        try:
            whole = _validator(schema)
            fields = {name: _validator(shape) for name, shape in shapes.items()} if isinstance(shapes, dict) else {}
        except ValueError as wrong:  # the library's own; what follows the first line quotes the whole schema
            raise UncheckableError(f"{card.name}: input_schema: {str(wrong).partition(chr(10))[0][:200]}") from None
        others = "properties" not in schema or "patternProperties" in schema
        closed = schema.get("additionalProperties") is False and not others
        return cls(whole, fields, tuple(map(str, required)) if isinstance(required, list) else (), others, closed)

    def errors(self, sent: Mapping[str, JsonValue]) -> Iterator[FieldError]:
        """What is wrong with an input that is known to be wrong: of each field the first thing."""
        found = False
        for name in self.required:
            if name not in sent:
                found = True
                yield FieldError(field=f"input.{name}", reason="is required by the model")
        for name, value in sent.items():
            if name not in self.fields:
                if self.closed:
                    found = True
                    yield FieldError(field=f"input.{name[:SHOWN]}", reason="is not known to the model")
            elif error := _first(self.fields[name], value):
                found = True
                yield _field_error([name, *error.instance_path], error)
        if not found and (error := _first(self.whole, sent)):
            yield _field_error(error.instance_path, error)


class Inputs:
    """Checks inputs against the schemas of the models in a catalogue."""

    def __init__(self, models: Mapping[str, ModelCard]) -> None:
        """`UncheckableError` escapes when a schema cannot be used."""
        self._checks = {name: Check.of(card) for name, card in models.items()}

    def errors(self, model: str, given: Mapping[str, JsonValue]) -> list[FieldError]:
        """What is wrong with the input of a request. What was sent is never given back."""
        own = [FieldError(field=f"input.{name}", reason=_beside(name)) for name in OWN_FIELDS if name in given]
        check = self._checks.get(model)
        if own or check is None:
            return own
        sent = _sent(given)
        if not _at_most(MOST_VALUES, sent):
            return [FieldError(field="input", reason=f"holds more than {MOST_VALUES} values")]
        return [] if check.whole.is_valid(sent) else list(check.errors(sent))

    def unknown(self, model: str, given: Mapping[str, JsonValue]) -> list[str]:
        """The fields of an input that its model's schema neither describes nor forbids."""
        check = self._checks.get(model)
        return [] if check is None or check.others else sorted(_sent(given).keys() - check.fields.keys())


def _sent(given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """An input as the provider will get it: nothing is sent for null."""
    return {name: value for name, value in given.items() if value is not None}


def _validator(schema: Any) -> Validator:
    linear = jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=PATTERN_BYTES)
    return Validator(schema, pattern_options=linear, offline=True)


def _first(check: Validator, value: Any) -> jsonschema_rs.ValidationError | None:
    try:
        check.validate(value)
    except jsonschema_rs.ValidationError as error:
        return error
    return None


def _field_error(path: list[str | int], error: jsonschema_rs.ValidationError) -> FieldError:
    field = ".".join(["input", *(str(part)[:SHOWN] for part in path)])
    return FieldError(field=field[:200], reason=_reason(error)[:500])


def _reason(error: jsonschema_rs.ValidationError) -> str:
    """What the schema wants there, in words that hold nothing of what was sent."""
    rule, told = error.kind.name, error.kind.as_dict()
    if rule == "type":
        return f"must be {' or '.join(TYPES.get(name, name) for name in told['types'])}"
    if rule == "enum":
        return f"must be one of {', '.join(map(str, told['options'][:MOST_OPTIONS]))}"
    return WORDS.get(rule, "does not keep the schema's {rule}").format(rule=rule, **told)


def _beside(name: str) -> str:
    return f"has a field of its own: send `{name}` beside `input`, not in it"


def _at_most(most: int, value: JsonValue) -> bool:
    """Whether there are at most so many values in `value`, however deep."""
    waiting: list[JsonValue] = [value]
    seen = 0
    while waiting:
        each = waiting.pop()
        seen += 1
        if seen + len(waiting) > most:
            return False
        if isinstance(each, dict | list):
            if len(each) > most:
                return False
            waiting.extend(each.values() if isinstance(each, dict) else each)
    return True
