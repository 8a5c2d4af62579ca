"""Facts as Kafka records and back. The only place that knows keys, partitions and headers."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from schemas.events import FACTS, Event
from schemas.identity import partition_of
from schemas.upcasters import UPCASTERS, NoUpcasterError, Upcasters, raised, version_of

RECORD_BYTES = 200 * 1_024
"""The largest value that is produced: below the topics' limit, so that a broker never refuses one."""

DEAD_LETTER_BYTES = 400 * 1_024
"""The largest unreadable record that is carried to the dead letters: below that topic's limit of 512 KiB."""

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""An escaped NUL: valid JSON, but no text column of PostgreSQL can hold it."""

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Record:
    """What goes to Kafka: ready bytes, and the partition they belong in."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record lies in the log."""

    topic: str
    partition: int
    offset: int


class UnreadableRecordError(Exception):
    """The record can never be read, whoever tries: it goes to the dead letters with this reason."""


class NewerVersionError(Exception):
    """A newer writer said this. Skipping it would lose it, so the reader stops until it is deployed anew."""


class RecordTooLargeError(Exception):
    """The fact does not fit a record; nothing was said."""


def encode(event: Event, *, source: str, traceparent: str | None = None) -> Record:
    """The record that says `event`. `source` names the service that speaks.

    Raises `RecordTooLargeError` above `RECORD_BYTES`.
    """
    value = event.model_dump_json(exclude_none=True).encode()
    if len(value) > RECORD_BYTES:
        raise RecordTooLargeError(f"{event.topic} of job {event.job_id} takes {len(value)} bytes, over {RECORD_BYTES}")
    key = str(event.job_id).encode()
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event.event_id).encode()),
        ("ce_type", event.topic.encode()),
        ("ce_source", f"/darkroom/{source}".encode()),
        ("ce_subject", key),
        ("ce_time", event.occurred_at.isoformat().encode()),
        ("content-type", b"application/json"),
    ]
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return Record(event.topic, partition_of(key), key, value, headers)


def decode(
    position: Position, key: bytes | None, value: bytes | None, headers: Headers = (), *,
    facts: Mapping[str, type[Event]] = FACTS, upcasters: Upcasters = UPCASTERS,
) -> Event:  # fmt: skip
    """The fact that a record says, whatever version it was written in.

    Raises `UnreadableRecordError` with the reason, never quoting the value (it may hold a prompt),
    `NewerVersionError` for a fact from a later version than this code knows, and `NoUpcasterError` for one from a
    former version that it no longer knows.
    """
    fact = facts.get(position.topic)
    if fact is None:
        raise UnreadableRecordError(f"no fact is known on topic {position.topic}")
    if value is None:
        raise UnreadableRecordError("the value is null")
    if None in [content for _, content in headers]:
        raise UnreadableRecordError("a header is null")
    if b"u0000" in value and _NUL.search(value):  # the pattern alone takes half the time of reading a record
        raise UnreadableRecordError("the value holds a NUL character")
    try:
        event = fact.model_validate_json(value)
    except ValidationError as broken:
        event = _of_another_version(fact, value, upcasters, broken)
    if key is None or key != str(event.job_id).encode():
        raise UnreadableRecordError("the key is not the job's id")
    if partition_of(key) != position.partition:
        raise UnreadableRecordError(f"the job belongs in partition {partition_of(key)}, not {position.partition}")
    return event


def dead_letter(position: Position, key: bytes | None, value: bytes | None, headers: Headers, why: str) -> Record:
    """The record that carries an unreadable one to the dead letters, untouched, with where it was and why.

    What is too large for a record, since it came compressed, stays where it was: its size is noted instead.
    """
    note: list[tuple[str, bytes | None]] = [
        ("dlq-topic", position.topic.encode()),
        ("dlq-partition", str(position.partition).encode()),
        ("dlq-offset", str(position.offset).encode()),
        ("dlq-reason", why.encode()[:512].decode(errors="ignore").encode()),
    ]
    size = len(key or b"") + len(value or b"") + sum(len(name) + len(content or b"") for name, content in headers)
    if size > DEAD_LETTER_BYTES:
        return Record("dlq", None, None, b"", [*note, ("dlq-left-out-bytes", str(size).encode())])
    nothing = key is None and value is None  # which clients refuse to produce
    return Record("dlq", None, key, b"" if nothing else value, [*headers, *note])


def _of_another_version(fact: type[Event], value: bytes, upcasters: Upcasters, broken: ValidationError) -> Event:
    """What a value says that is none of today's version. One that is of no other version either stays `broken`."""
    loose, known = _loose(value), version_of(fact)
    version = loose.get("v")
    if not isinstance(version, int) or version < 1 or version == known:
        raise UnreadableRecordError(_reasons(broken)) from None
    if version > known:
        raise NewerVersionError(
            f"{fact.topic} holds version {version}; this reader knows {known}: deploy the newer reader first"
        )
    try:
        return fact.model_validate_json(json.dumps(raised(loose, fact, upcasters)))
    except NoUpcasterError:
        raise  # a gap in our code, not in the record: the service stops rather than drop what it can no longer read
    except ValidationError as wrong:
        raise UnreadableRecordError(f"read as version {version}: {_reasons(wrong)}") from None
    except Exception as fault:  # noqa: BLE001 - nobody has checked the value: whatever is tripped over is its fault
        raise UnreadableRecordError(f"is no value of version {version}: {type(fault).__name__}") from None


def _loose(value: bytes) -> dict[str, Any]:
    try:
        loose = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return loose if isinstance(loose, dict) else {}


def _reasons(broken: ValidationError) -> str:
    errors = broken.errors(include_input=False, include_url=False, include_context=False)[:5]
    return "; ".join(f"{_place(error['loc'])}: {_words(error['type'], error['msg'])}" for error in errors)


def _place(loc: tuple[int | str, ...]) -> str:
    """Where in the value: names of ours, never the names that a request chose."""
    named = loc[:1] if loc[:1] in (("input",), ("metadata",)) else loc
    return ".".join(str(part) for part in named) or "value"


def _words(kind: str, message: str) -> str:
    """What pydantic says is wrong, unless its words quote the value."""
    return {"union_tag_invalid": "is of no known kind", "uuid_parsing": "is no UUID"}.get(kind, message)
