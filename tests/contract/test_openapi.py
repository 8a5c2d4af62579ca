"""The HTTP API as its committed document says it: what the routes say, complete, and described for who has only it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from darkroom import contract
from gateway.app import document
from gateway.openapi import HEADERS
from schemas.contract import files
from tests.working_copy import WorkingCopy

Part = dict[str, Any]

DOCUMENT: Part = json.loads(files.OPENAPI.read_text(encoding="utf-8"))
OPERATIONS: dict[str, Part] = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}

EVERY_OPERATION = pytest.mark.parametrize("name", sorted(OPERATIONS))


def meant(part: Part, document: Part = DOCUMENT) -> Part:
    """What a part is, or what its reference into the document stands for."""
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = {**found, **{name: value for name, value in part.items() if name != "$ref"}}
    return part


def contents(operation: Part) -> Iterator[tuple[str, Part]]:
    """Each body that an operation takes or gives, and what it is called."""
    for media in meant(operation.get("requestBody", {})).get("content", {}).values():
        yield "request", media["schema"]
    for status, answer in operation["responses"].items():
        for kind, media in answer.get("content", {}).items():
            if kind.endswith("json"):
                yield status, media["schema"]


def undescribed(schema: Part, examples: list[Any], place: str) -> list[str]:
    """What a reader would miss: fields, here and inside, without words or that no example shows."""
    schema = meant(schema)
    found = []
    for each in (schema, *map(meant, (*schema.get("anyOf", ()), *schema.get("oneOf", ())))):
        own = examples + each.get("examples", [])
        inner = [item for example in own if isinstance(example, list) for item in example]
        if "items" in each:
            found += undescribed(each["items"], inner, f"{place}[]")
        for name, part in each.get("properties", {}).items():
            shown = [value[name] for value in own if isinstance(value, dict) and name in value]
            found += [] if part.get("description") else [f"{place}.{name}: no description"]
            found += [] if shown or part.get("examples") else [f"{place}.{name}: no example"]
            found += undescribed(part, shown, f"{place}.{name}") if place.count(".") < 5 else []
    return found


def refuted(schema: Part, place: str) -> list[str]:
    """The examples of a schema that it does not allow itself."""
    whole = {**meant(schema), "components": DOCUMENT["components"]}
    validator = Draft202012Validator(whole, format_checker=FormatChecker(["uuid"]))
    examples = meant(schema).get("examples", [])
    return [f"{place}: {fault.message}" for example in examples for fault in validator.iter_errors(example)]


def test_the_committed_document_says_what_the_routes_say() -> None:
    assert contract.outdated() == [], "run `make schemas`, and look at what it changes: clients rely on it"


def test_a_document_is_the_same_each_time_it_is_made() -> None:
    assert files.text_of(document()) == files.text_of(document()) == files.OPENAPI.read_text(encoding="utf-8")


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len(set(names)) == len(names) > 5


@EVERY_OPERATION
def test_an_operation_says_what_it_does_and_belongs_somewhere(name: str) -> None:
    operation = OPERATIONS[name]

    assert operation["summary"]
    assert len(operation["description"]) > len(operation["summary"]) / 2
    assert {tag["name"] for tag in DOCUMENT["tags"]} >= set(operation["tags"])
    assert operation["tags"]


@EVERY_OPERATION
def test_every_parameter_is_described_with_an_example_that_is_allowed(name: str) -> None:
    faults = []
    for parameter in OPERATIONS[name].get("parameters", ()):
        place, schema = f"{name} {parameter['name']}", parameter["schema"]
        faults += [] if parameter.get("description") else [f"{place}: no description"]
        faults += [] if schema.get("examples") else [f"{place}: no example"]
        faults += refuted(schema, place)

    assert faults == []


@EVERY_OPERATION
def test_every_field_is_described_and_shown_by_an_example_that_is_allowed(name: str) -> None:
    faults = []
    for place, schema in contents(OPERATIONS[name]):
        faults += undescribed(schema, [], f"{name} {place}") + refuted(schema, f"{name} {place}")

    assert faults == []


@EVERY_OPERATION
def test_every_answer_is_described_with_its_headers(name: str) -> None:
    for status, answer in OPERATIONS[name]["responses"].items():
        headers = answer["headers"]
        assert answer["description"] not in ("", "Successful Response"), status
        assert "X-Request-Id" in headers
        assert all(meant(header)["description"] and "example" in meant(header) for header in headers.values())
        problem = answer.get("content", {}).get("application/problem+json")
        assert problem or int(status) < 400 or name.endswith("/health/ready")
        assert "Retry-After" in headers or not problem or status not in ("429", "503")
        assert problem is None or problem["example"]["status"] == int(status)


def test_every_operation_below_the_api_may_refuse_a_key() -> None:
    without = [
        name for name, operation in OPERATIONS.items()
        if " /api/" in name and not {"401", "403"} <= operation["responses"].keys()
    ]  # fmt: skip

    assert without == []


def test_every_header_of_the_glossary_that_is_used_is_in_the_document() -> None:
    used = {name for name in HEADERS if f"#/components/headers/{name}" in json.dumps(DOCUMENT["paths"])}

    assert DOCUMENT["components"]["headers"].keys() == used


def test_a_field_that_nobody_described_is_found() -> None:
    schema = {"properties": {"a": {"properties": {"b": {}}, "description": "A."}}, "examples": [{"a": {}}]}

    assert undescribed(schema, [], "x") == ["x.a.b: no description", "x.a.b: no example"]


def test_the_check_fails_until_a_changed_route_is_written_anew(tmp_path: Path) -> None:
    copy = WorkingCopy.at(tmp_path)
    copy.edit("gateway/listing.py", "below", "class Jobs(BaseModel):", '    """Others."""\n')

    forgotten = copy.run("-m", "darkroom", "schemas", "check")
    written = copy.succeeds("-m", "darkroom", "schemas", "write")

    assert forgotten.returncode == 1
    assert forgotten.stderr == "openapi.json does not say what the classes say: run `make schemas`\n"
    assert written.splitlines() == ["openapi.json", "1 files changed."]
    assert copy.run("-m", "darkroom", "schemas", "check").returncode == 0
