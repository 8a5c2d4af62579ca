"""Where the contract lies as files, for readers without our code: one JSON Schema per fact and version."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.contract.json_schemas import Schema, name_of, schema_of
from schemas.events import FACTS

HERE = Path(__file__).parents[1]
JSON_SCHEMAS = HERE / "json"
RELEASED = HERE / "released"
"""What the last release published. `darkroom schemas release` brings it up to date, and nobody else touches it."""
ASYNCAPI = HERE / "asyncapi.json"
OPENAPI = HERE / "openapi.json"


def today() -> dict[str, Schema]:
    """The schema of every fact as its class is now, by `name_of`."""
    return {name_of(fact): schema_of(fact) for fact in FACTS.values()}


def released(folder: Path = RELEASED) -> dict[str, Schema]:
    """The schemas of the last release, of every version that was ever released."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def published(now: Mapping[str, Schema], before: Mapping[str, Schema]) -> dict[str, Schema]:
    """What readers need: today's schemas, and those of former versions, whose records stay in the log."""
    return {**now, **{name: schema for name, schema in before.items() if name not in now}}


def text_of(content: Any) -> str:
    """A file's text: the same content, the same bytes."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
