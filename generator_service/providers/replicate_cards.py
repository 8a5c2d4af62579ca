"""Pure: a card for our catalogue from what Replicate says of a model, whose `openapi_schema` Cog has written."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from generator_service.providers.describing import Undescribable
from schemas.catalogue import MOST_PER_CALL, OWN_FIELDS, ModelCard

SCHEMAS = "#/components/schemas/"
DEEPEST = 16
WORDS = 1_000  # of a description
KINDS = {"image": ("jpg", "jpeg", "png", "webp", "gif", "avif"), "audio": ("wav", "mp3", "flac", "ogg", "m4a"),
         "video": ("mp4", "webm", "mov")}  # fmt: skip
FORMAT = re.compile("[a-z0-9]{1,10}")


def card_of(name: str, description: Any, openapi_schema: Any, example: Any) -> ModelCard:
    """The card of a model. `example` is an output of it, if there is one. `Undescribable` says why there is none."""
    try:
        schemas = openapi_schema["components"]["schemas"]
        given, output = (_written_out(schemas[part], schemas) for part in ("Input", "Output"))
        properties: dict[str, Any] = dict(given["properties"])
    except (KeyError, TypeError) as missing:
        raise Undescribable(f"{name} has no usable openapi_schema ({missing})") from None
    if not _makes_files(output):
        raise Undescribable(f"{name} makes no files, so there is nothing to store")
    formats = _formats(properties.get("output_format", {}))
    required = [field for field in given.get("required", []) if field not in OWN_FIELDS]
    left = {field: shape for field, shape in properties.items() if field not in OWN_FIELDS}
    try:
        return ModelCard(
            name=name, provider="replicate", description=str(description or "")[:WORDS],
            kind=_kind(formats or _endings(example)),  # type: ignore[arg-type]  # the card checks it
            outputs_per_call=_most(properties.get("num_outputs")), formats=formats,
            takes=tuple(field for field in OWN_FIELDS if field in properties), cost_units=1,
            input_schema={"type": "object", "properties": left, "required": required},
        )  # fmt: skip
    except ValidationError as wrong:
        raise Undescribable(f"{name} has a schema that is not taken: {wrong.errors()[0]['msg']}") from None


def _written_out(shape: Any, schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """A schema with what it points to written in its place, as Cog's enums are. `allOf` of one thing becomes it."""
    if depth > DEEPEST:
        raise Undescribable("its schema leads back into itself")
    if isinstance(shape, list):
        return [_written_out(each, schemas, depth + 1) for each in shape]
    if not isinstance(shape, dict):
        return shape
    if isinstance(reference := shape.get("$ref"), str):
        return _written_out(schemas[reference.removeprefix(SCHEMAS)], schemas, depth + 1)
    whole = {name: _written_out(inner, schemas, depth + 1) for name, inner in shape.items()}
    match whole.get("allOf"):
        case [dict() as only]:
            return only | {name: inner for name, inner in whole.items() if name != "allOf"}
    if whole.get("nullable") is True and isinstance(whole.get("type"), str):  # as OpenAPI 3.0 says it
        whole["type"] = [whole["type"], "null"]
    return whole


def _makes_files(output: Any) -> bool:
    """Whether there is a URL anywhere in an output."""
    if isinstance(output, dict):
        return output.get("format") == "uri" or any(_makes_files(inner) for inner in output.values())
    return isinstance(output, list) and any(_makes_files(inner) for inner in output)


def _formats(shape: Any) -> tuple[str, ...]:
    """The formats that can be asked for, the usual one first."""
    options = shape.get("enum") if isinstance(shape, dict) else None
    known = [each for each in options or () if isinstance(each, str) and FORMAT.fullmatch(each)]
    return tuple(sorted(known, key=lambda each: each != shape.get("default")))


def _endings(example: Any) -> tuple[str, ...]:
    urls = example if isinstance(example, list) else [example]
    return tuple(PurePosixPath(url.partition("?")[0]).suffix[1:].lower() for url in urls if isinstance(url, str))


def _kind(formats: tuple[str, ...]) -> str | None:
    return next((kind for kind, endings in KINDS.items() if any(each in endings for each in formats)), None)


def _most(shape: Any) -> int:
    """How many outputs one call makes at most: one where nothing can be said about it."""
    if not isinstance(shape, dict):
        return 1
    most = shape.get("maximum", MOST_PER_CALL)
    return max(1, min(int(most), MOST_PER_CALL)) if isinstance(most, int | float) else MOST_PER_CALL
