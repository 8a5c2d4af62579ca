"""Records: what is read, what never can be, and that no reason ever quotes a value."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Event, JobRequested
from schemas.identity import PARTITIONS
from schemas.wire import (
    DEAD_LETTER_BYTES,
    RECORD_BYTES,
    Headers,
    NewerVersionError,
    Position,
    RecordTooLargeError,
    UnreadableRecordError,
    dead_letter,
    decode,
    encode,
)
from tests.builders import ANOTHER_JOB, JOB, a_generated_output, a_request, at, one_of_each

KEY = str(JOB).encode()
SECRET = "nobodys xylophone quartet"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\\\"u0", max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def value_of(event: Event, **changes: Any) -> bytes:
    """The value of the record that says `event`, with some fields changed, or left out when `...`."""
    said = json.loads(encode(event, source="somebody").value or b"") | changes
    return json.dumps({name: value for name, value in said.items() if value is not ...}).encode()


def why_unreadable(
    value: bytes | None, *, event: Event | None = None, key: bytes | None = KEY, headers: Headers = ()
) -> str:
    with pytest.raises(UnreadableRecordError) as raised:
        decode(at(event or a_request()), key, value, headers)
    return str(raised.value)


@pytest.mark.parametrize("event", one_of_each(), ids=lambda event: event.topic)
def test_every_fact_is_read_as_it_was_said(event: Event) -> None:
    record = encode(event, source="somebody")

    assert decode(at(event), record.key, record.value, record.headers) == event


@settings(deadline=None)
@given(
    prompt=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200),
    given_input=st.dictionaries(st.text("abc", max_size=5), JSON, max_size=4),
)
def test_any_prompt_and_input_come_back_whole(prompt: str, given_input: dict[str, Any]) -> None:
    request = a_request(prompt=prompt, input=given_input)

    record = encode(request, source="gateway")
    read = decode(at(request), record.key, record.value)

    assert isinstance(read, JobRequested)
    assert (read.prompt, read.input) == (prompt, given_input)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "the value is null"),
        (b"", "value: Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b"\xff\xfe\x00", "value: Invalid JSON: expected value at line 1 column 1"),
        (b'{"prompt": "\xff"}', "value: Invalid JSON: invalid unicode code point at line 1 column 13"),
        (b"[]", "value: Input should be an object"),
        (b"null", "value: Input should be an object"),
        (b'{"prompt": "' + SECRET.encode(), "value: Invalid JSON: EOF while parsing a string at line 1 column 37"),
    ],
    ids=ascii,
)
def test_what_is_no_json_object_is_unreadable(value: bytes | None, reason: str) -> None:
    assert why_unreadable(value) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt": ...}, "prompt: Field required"),
        ({"model": 7}, "model: Input should be a valid string"),
        ({"job_id": SECRET}, "job_id: is no UUID"),
        ({"occurred_at": "2026-01-12T10:00:00"}, "occurred_at: Input should have timezone info"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at: Input should be greater than or equal to "
                                                       "1970-01-01T00:00:00Z"),
        ({"num_outputs": 11}, "num_outputs: Input should be less than or equal to 10"),
        ({"type": "media.stored"}, "type: Input should be 'job.requested'"),
        ({"metadata": {SECRET: 1}}, "metadata: Input should be a valid string"),
        ({"v": 0}, "v: Input should be 1"),
        ({"v": "2"}, "v: Input should be 1"),
    ],
    ids=str,
)  # fmt: skip
def test_a_fact_with_a_wrong_field_is_unreadable(changes: dict[str, Any], reason: str) -> None:
    assert why_unreadable(value_of(a_request(), **changes)) == reason


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_number_that_is_none_is_unreadable(number: bytes) -> None:
    value = value_of(a_request(input={"guidance": 42.5})).replace(b"42.5", number)

    assert why_unreadable(value) == "input: Value error, holds a number that is not finite"


def test_a_source_of_no_known_kind_is_unreadable() -> None:
    output = a_generated_output()

    reason = why_unreadable(value_of(output, source={"kind": SECRET}), event=output)

    assert reason == "source: is of no known kind"


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": {"text": SECRET}}, {"seed": SECRET}, {"job_id": SECRET}, {"deadline": SECRET},
        {"metadata": {SECRET: [SECRET]}}, {"metadata": {"a": {SECRET: SECRET}}}, {"input": SECRET}, {"v": SECRET},
        {"type": SECRET}, {"num_outputs": SECRET}, {"output_format": [SECRET]},
    ],
    ids=str,
)  # fmt: skip
def test_no_reason_quotes_the_value(changes: dict[str, Any]) -> None:
    reason = why_unreadable(value_of(a_request(), **changes))

    assert not any(word in reason for word in SECRET.split() if len(word) > 3)


def test_a_record_on_a_topic_without_a_fact_is_unreadable() -> None:
    with pytest.raises(UnreadableRecordError, match="no fact is known on topic tomorrows"):
        decode(Position("tomorrows", 0, 0), KEY, b"{}")


@pytest.mark.parametrize("version", [2, 3, 1_000])
def test_a_newer_version_stops_the_reader(version: int) -> None:
    value = value_of(a_request(), v=version, prompt={"text": SECRET})

    with pytest.raises(NewerVersionError, match=f"version {version}; this reader knows 1") as raised:
        decode(at(a_request()), KEY, value)

    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("prompt", ["a\0b", "\0", "\\\0", "\\\\\0", "x\0x"], ids=lambda text: ascii(text[:9]))
def test_a_nul_character_is_unreadable_because_no_database_holds_it(prompt: str) -> None:
    assert why_unreadable(value_of(a_request(), prompt=prompt)) == "the value holds a NUL character"


@pytest.mark.parametrize("prompt", ["\\u0000", "\\\\u0000", "C:\\u0000.txt", "u0000", "\\"])
def test_a_written_backslash_before_u0000_is_no_nul_character(prompt: str) -> None:
    read = decode(at(a_request()), KEY, value_of(a_request(), prompt=prompt))

    assert isinstance(read, JobRequested)
    assert read.prompt == prompt


def test_many_backslashes_are_looked_through_in_no_time() -> None:
    read = decode(at(a_request()), KEY, value_of(a_request(), prompt="\\" * 60_000))

    assert isinstance(read, JobRequested)


def test_a_null_header_is_unreadable() -> None:
    headers = [("ce_id", b"1"), ("traceparent", None)]

    assert why_unreadable(value_of(a_request()), headers=headers) == "a header is null"


def test_headers_of_any_bytes_are_fine() -> None:
    assert decode(at(a_request()), KEY, value_of(a_request()), [("x", b"\xff\x00")]) == a_request()


@pytest.mark.parametrize("key", [None, b"", KEY.upper(), str(ANOTHER_JOB).encode(), JOB.bytes], ids=ascii)
def test_a_key_that_is_not_the_jobs_id_is_unreadable(key: bytes | None) -> None:
    assert why_unreadable(value_of(a_request()), key=key) == "the key is not the job's id"


def test_a_record_in_another_partition_is_unreadable() -> None:
    right = at(a_request())
    wrong = Position(right.topic, (right.partition + 1) % PARTITIONS, 0)

    with pytest.raises(UnreadableRecordError, match=f"belongs in partition {right.partition}, not {wrong.partition}"):
        decode(wrong, KEY, value_of(a_request()))


def test_a_fact_too_large_for_a_record_is_not_said() -> None:
    room = RECORD_BYTES - len(encode(a_request(prompt=""), source="gateway").value or b"")

    encode(a_request(prompt="x" * room), source="gateway")
    with pytest.raises(RecordTooLargeError, match=f"takes {RECORD_BYTES + 1} bytes"):
        encode(a_request(prompt="x" * (room + 1)), source="gateway")


def test_a_record_without_a_trace_has_no_header_for_it() -> None:
    assert "traceparent" not in dict(encode(a_request(), source="gateway").headers)


def test_a_dead_letter_is_the_untouched_record_and_a_note() -> None:
    headers: Headers = [("a", b"\xff"), ("b", None)]

    letter = dead_letter(Position("job.requested", 3, 17), b"key", b"\x00not json", headers, "the reason")

    assert (letter.topic, letter.partition, letter.key, letter.value) == ("dlq", None, b"key", b"\x00not json")
    assert list(letter.headers) == [
        ("a", b"\xff"),
        ("b", None),
        ("dlq-topic", b"job.requested"),
        ("dlq-partition", b"3"),
        ("dlq-offset", b"17"),
        ("dlq-reason", b"the reason"),
    ]


def test_an_unreadable_record_too_large_to_carry_is_noted_with_its_size() -> None:
    letter = dead_letter(Position("job.requested", 3, 17), b"key", b"x" * DEAD_LETTER_BYTES, [("a", b"b")], "why")

    assert (letter.key, letter.value) == (None, b"")
    assert dict(letter.headers) == {
        "dlq-topic": b"job.requested", "dlq-partition": b"3", "dlq-offset": b"17", "dlq-reason": b"why",
        "dlq-left-out-bytes": str(DEAD_LETTER_BYTES + 5).encode(),
    }  # fmt: skip


def test_an_unreadable_record_as_large_as_can_be_carried_is_untouched() -> None:
    value = b"x" * (DEAD_LETTER_BYTES - 3)

    assert dead_letter(Position("job.requested", 3, 17), b"key", value, [], "why").value == value


def test_a_record_that_is_nothing_at_all_becomes_one_that_can_be_produced() -> None:
    letter = dead_letter(Position("job.requested", 3, 17), None, None, [], "the value is null")

    assert (letter.key, letter.value) == (None, b"")


def test_a_long_reason_is_cut_on_a_characters_edge() -> None:
    letter = dead_letter(Position("job.requested", 3, 17), None, None, [], "x" + "ü" * 600)

    assert dict(letter.headers)["dlq-reason"] == ("x" + "ü" * 255).encode()
