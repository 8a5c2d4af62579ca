"""The published schemas say what the classes say, what lies in the log keeps to them, and no change breaks a reader."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from pydantic import Field

from darkroom import contract
from schemas.contract import files
from schemas.contract.json_schemas import inlined, schema_of
from schemas.events import FACTS, Event
from schemas.wire import Position, decode, encode
from tests.builders import one_of_each
from tests.contract.test_golden import KEY, PARTITION
from tests.working_copy import WorkingCopy

GOLDEN = sorted(contract.GOLDEN.glob("*.json"))
NAMED = re.compile(r"(?P<type>[a-z_]+\.[a-z_]+)(?:\.[a-z_]+)*\.v(?P<version>\d+)")
PUBLISHED = files.published(files.today(), files.released())

EVERY_GOLDEN = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
EVERY_SCHEMA = pytest.mark.parametrize("name", PUBLISHED)


CHECKED = FormatChecker(["uuid"])


@CHECKED.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]
def _is_a_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def faults(name: str, value: Any) -> list[str]:
    """What the published schema of that name finds wrong with a value."""
    schema = json.loads((files.JSON_SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema, format_checker=CHECKED)
    return [f"{'.'.join(map(str, fault.path))}: {fault.message}" for fault in validator.iter_errors(value)]


def golden(path: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return said


def test_the_committed_files_say_what_the_classes_say() -> None:
    assert contract.outdated() == []


def test_no_change_since_the_release_breaks_a_reader() -> None:
    assert contract.broken() == []


def test_every_fact_is_published_under_its_version() -> None:
    assert {path.stem for path in files.JSON_SCHEMAS.iterdir()} == set(PUBLISHED)
    assert {name.rpartition(".v")[0] for name in PUBLISHED} == set(FACTS)


@EVERY_SCHEMA
def test_a_published_schema_is_valid_and_says_which_records_are_its_own(name: str) -> None:
    schema = PUBLISHED[name]
    topic, _, version = name.rpartition(".v")

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:darkroom:schema:{name}"
    assert (schema["properties"]["type"]["const"], schema["properties"]["v"]["const"]) == (topic, int(version))
    assert {"event_id", "type", "v", "occurred_at", "job_id", "tenant"} <= set(schema["required"])


def undescribed(schema: dict[str, Any], place: str) -> list[str]:
    """Fields of a schema, and of those inside it, that nobody has described."""
    inner = [part for part in schema.get("oneOf", ()) if isinstance(part, dict)]
    found = [missing for part in inner for missing in undescribed(part, place)]
    for field, part in schema.get("properties", {}).items():
        found += [] if part.get("description") else [f"{place}.{field}"]
        found += undescribed(part.get("items", part), f"{place}.{field}")
    return found


@EVERY_SCHEMA
def test_every_field_is_described(name: str) -> None:
    assert undescribed(inlined(PUBLISHED[name]), name) == []
    assert PUBLISHED[name]["description"]


@EVERY_GOLDEN
def test_a_golden_record_of_any_version_is_read_by_todays_code(path: Path) -> None:
    said = golden(path)
    named = NAMED.fullmatch(path.stem)

    assert named is not None
    assert (named["type"], int(named["version"])) == (said["type"], said["v"])
    assert isinstance(decode(Position(said["type"], PARTITION, 0), KEY, path.read_bytes()), FACTS[said["type"]])


@EVERY_GOLDEN
def test_a_golden_record_keeps_to_the_schema_of_its_version(path: Path) -> None:
    said = golden(path)

    assert faults(f"{said['type']}.v{said['v']}", said) == []


def test_every_version_ever_released_has_a_golden_record() -> None:
    assert {f"{said['type']}.v{said['v']}" for said in map(golden, GOLDEN)} >= set(files.released())


@pytest.mark.parametrize("event", one_of_each(), ids=lambda event: event.topic)
def test_what_is_said_today_keeps_to_its_schema(event: Event) -> None:
    value = json.loads(encode(event, source="somebody").value or b"")

    assert faults(f"{event.topic}.v1", value) == []
    assert faults(f"{event.topic}.v1", value | {"added_tomorrow": {"any": ["thing"]}}) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"type": "job.requested"}, "type: 'job.completed' was expected"),
        ({"v": 2}, "v: 1 was expected"),
        ({"job_id": "7"}, "job_id: '7' is not a 'uuid'"),
        ({"completed_at": "yesterday"}, "completed_at: 'yesterday' is not a 'date-time'"),
        ({"status": "DONE"}, "status: 'DONE' is not one of"),
        ({"stored": -1}, "stored: -1 is less than the minimum of 0"),
        ({"outputs": [{"index": 0}]}, "outputs.0: 'revision' is a required property"),
        ({"error": None}, "error: None is not of type 'object'"),
    ],
)
def test_a_record_that_breaks_the_contract_is_refused(change: dict[str, Any], fault: str) -> None:
    said = golden(contract.GOLDEN / "job.completed.v1.json")

    found = faults("job.completed.v1", said | change)

    assert any(each.startswith(fault) for each in found), found


@pytest.mark.parametrize("missing", ["type", "v", "event_id", "job_id"])
def test_a_record_without_its_envelope_is_refused(missing: str) -> None:
    said = golden(contract.GOLDEN / "job.completed.v1.json")
    del said[missing]

    assert faults("job.completed.v1", said) == [f": '{missing}' is a required property"]


class PictureHung(Event):
    """A fact that no service says."""

    topic: ClassVar[str] = "picture.hung"
    type: Literal["picture.hung"] = "picture.hung"

    wall: str
    """Which wall it
    hangs on."""
    height: int = Field(description="In centimetres.")
    prompt: str


class PictureHungTwice(PictureHung):
    """One that builds on it."""

    index: int
    """Which time."""


def test_a_field_is_described_beneath_it_or_in_it_or_in_the_glossary() -> None:
    shown = schema_of(PictureHungTwice)["properties"]

    words = {name: shown[name]["description"] for name in ("wall", "height", "prompt", "index")}
    assert words == {
        "wall": "Which wall it hangs on.",
        "height": "In centimetres.",
        "prompt": "What to make, in words.",
        "index": "Which time.",
    }


def test_the_check_fails_while_the_files_are_not_written_anew_and_for_a_change_that_breaks(tmp_path: Path) -> None:
    copy = WorkingCopy.at(tmp_path)
    copy.edit("schemas/events.py", "instead of", "num_outputs: Count", "    num_outputs: str\n")

    forgotten = copy.run("-m", "darkroom", "schemas", "check")
    written = copy.succeeds("-m", "darkroom", "schemas", "write")
    breaking = copy.run("-m", "darkroom", "schemas", "check")
    released = copy.run("-m", "darkroom", "schemas", "release")

    said = "job.completed.v1.num_outputs: was integer, is string"
    assert forgotten.returncode == breaking.returncode == released.returncode == 1
    assert "job.completed.v1.json does not say what the classes say: run `make schemas`" in forgotten.stderr
    assert written.splitlines() == ["asyncapi.json", "job.completed.v1.json", "2 files changed."]
    assert breaking.stderr == f"{said}: raise `v` and add an upcaster, or leave it as it was\n"
    assert released.stderr == f"{said}\n"


def test_a_release_freezes_what_is_published(tmp_path: Path) -> None:
    copy = WorkingCopy.at(tmp_path)
    copy.succeeds("-m", "darkroom", "schemas", "release")  # what was published since the last release
    copy.edit("schemas/events.py", "below", "num_outputs: Count", "    pages: int | None = None\n")
    copy.succeeds("-m", "darkroom", "schemas", "write")

    first = copy.succeeds("-m", "darkroom", "schemas", "release")
    again = copy.succeeds("-m", "darkroom", "schemas", "release")
    copy.edit("schemas/events.py", "instead of", "pages: int | None = None", "")
    copy.succeeds("-m", "darkroom", "schemas", "write")
    taken_back = copy.run("-m", "darkroom", "schemas", "check")

    assert (first, again) == ("1 schemas are released anew.\n", "0 schemas are released anew.\n")
    assert taken_back.stderr.startswith("job.completed.v1.pages: was removed")
