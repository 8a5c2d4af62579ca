"""The JSON Schema (2020-12) of each fact, as its records lie in the log."""

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas.contract.glossary import words_for
from schemas.events import Event
from schemas.upcasters import version_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema: TypeAlias = dict[str, Any]


def name_of(fact: type[Event]) -> str:
    """What a fact's schema is called: its type and version."""
    return f"{fact.topic}.v{version_of(fact)}"


def schema_of(fact: type[Event]) -> Schema:
    """What every record of this fact says. Other fields may come beside: readers ignore what they do not know."""
    schema = fact.model_json_schema(mode="serialization", schema_generator=_AsWritten)
    return {"$schema": DIALECT, "$id": f"urn:darkroom:schema:{name_of(fact)}", **schema}


def inlined(schema: Schema) -> Schema:
    """The same schema with every `$ref` to its own `$defs` replaced by what it stands for."""
    definitions: dict[str, Schema] = schema.get("$defs", {})

    def inline(part: Any) -> Any:
        if isinstance(part, list):
            return [inline(each) for each in part]
        if not isinstance(part, dict):
            return part
        if isinstance(reference := part.get("$ref"), str):
            meant = definitions[reference.removeprefix("#/$defs/")]
            return inline(meant | {name: value for name, value in part.items() if name != "$ref"})
        return {name: inline(value) for name, value in part.items() if name != "$defs"}

    whole: Schema = inline(schema)
    return whole


class _AsWritten(GenerateJsonSchema):
    """A fact as `wire.encode` writes it: what is not known is left out, never null."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # it would only repeat the name

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        left_out = schema.get("default", ...) is None
        return self.generate_inner(schema["schema"]) if left_out else super().default_schema(schema)

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        said = super().tagged_union_schema(schema)
        said.pop("discriminator", None)  # a word of OpenAPI's
        return said

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        said = super().model_schema(schema)
        cls: type[BaseModel] = schema["cls"]
        said["description"] = " ".join(said["description"].split())
        for field, info in cls.model_fields.items():
            shown = said["properties"][info.serialization_alias or field]
            if words := info.description or _docstrings(cls).get(field) or words_for(cls.__name__, field):
                shown["description"] = words
            if "const" in shown:  # always written: it says what this is
                shown.pop("default", None)
                said.setdefault("required", []).append(info.serialization_alias or field)
        said["required"] = [name for name in said["properties"] if name in said.get("required", ())]
        said["additionalProperties"] = True
        return said


@cache
def _docstrings(cls: type[BaseModel]) -> dict[str, str]:
    """What is written beneath the fields of `cls` and of the classes that it builds on."""
    found: dict[str, str] = {}
    for part in reversed(cls.__mro__):
        if part is not BaseModel and issubclass(part, BaseModel):
            [body] = ast.parse(textwrap.dedent(inspect.getsource(part))).body
            found |= _beneath(body.body if isinstance(body, ast.ClassDef) else [])
    return found


def _beneath(lines: list[ast.stmt]) -> dict[str, str]:
    return {
        field.target.id: " ".join(words.value.value.split())
        for field, words in pairwise(lines)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(words, ast.Expr) and isinstance(words.value, ast.Constant) and isinstance(words.value.value, str)
    }  # fmt: skip
