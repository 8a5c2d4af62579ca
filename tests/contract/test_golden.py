"""Yesterday's records are read as they were meant, and today's can be read by yesterday's readers."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.events import FACTS, Event
from schemas.identity import event_id_of
from schemas.wire import Position, decode, encode
from tests.contract.facts import GOLDEN, JOB

FOLDER = Path(__file__).with_name("golden")
KEY = b"96b5c363-04d7-87e6-9bfe-51246d3cdc5d"
PARTITION = 7
"""Of this key among 12, as Kafka's own partitioner says."""

EVERY_FACT = pytest.mark.parametrize(("name", "fact"), GOLDEN.items(), ids=GOLDEN)


def written(name: str) -> dict[str, Any]:
    """What a golden file says. Written once and never edited: its facts may lie in somebody's log."""
    said: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return said


def test_every_fact_has_a_golden_file_and_every_file_is_read() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(GOLDEN)
    assert {fact.topic for fact in GOLDEN.values()} == set(FACTS)


@EVERY_FACT
def test_a_golden_record_is_read_to_the_same_values(name: str, fact: Event) -> None:
    value = json.dumps(written(name)).encode()

    assert decode(Position(fact.topic, PARTITION, 0), KEY, value) == fact


@EVERY_FACT
def test_a_golden_file_is_read_as_it_lies_there(name: str, fact: Event) -> None:
    value = (FOLDER / f"{name}.json").read_bytes()

    assert decode(Position(fact.topic, PARTITION, 0), KEY, value) == fact


@EVERY_FACT
def test_what_is_said_today_says_everything_that_the_golden_record_says(name: str, fact: Event) -> None:
    value = encode(fact, source="somebody").value

    said = json.loads(value or b"")
    assert {field: said.get(field) for field in written(name)} == written(name)


@EVERY_FACT
def test_what_is_said_today_is_read_back_whole(name: str, fact: Event) -> None:
    record = encode(fact, source="somebody")

    assert record.partition == PARTITION
    assert decode(Position(record.topic, PARTITION, 0), record.key, record.value, record.headers) == fact


@EVERY_FACT
def test_fields_of_a_later_writer_are_ignored(name: str, fact: Event) -> None:
    value = json.dumps(written(name) | {"added_tomorrow": {"any": ["thing"]}}).encode()

    assert decode(Position(fact.topic, PARTITION, 0), KEY, value) == fact


@EVERY_FACT
def test_the_id_of_a_golden_fact_follows_from_what_it_says(name: str, fact: Event) -> None:
    assert event_id_of(JOB, fact.identity) == fact.event_id


@EVERY_FACT
def test_a_record_carries_the_key_and_the_headers_of_cloudevents(name: str, fact: Event) -> None:
    record = encode(fact, source="uploader", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

    assert (record.topic, record.key) == (fact.topic, KEY)
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": str(fact.event_id).encode(),
        "ce_type": fact.topic.encode(),
        "ce_source": b"/darkroom/uploader",
        "ce_subject": KEY,
        "ce_time": fact.occurred_at.isoformat().encode(),
        "content-type": b"application/json",
        "traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
