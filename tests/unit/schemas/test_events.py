"""Facts: bounded when they are built, and named by what they say."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.events import MESSAGE_BYTES, URL_CHARACTERS, Event, UrlSource, short
from tests.builders import (
    ANOTHER_JOB,
    NOON,
    a_callback,
    a_cancel,
    a_completion,
    a_doubt,
    a_failed_generation,
    a_failed_upload,
    a_generated_output,
    a_removal,
    a_request,
    a_retry,
    a_stored_output,
    a_submission,
    later,
    one_of_each,
)


@pytest.mark.parametrize("letter", ["a", "ü", "星", "🌆"])
def test_a_long_message_is_cut_on_a_characters_edge(letter: str) -> None:
    message = a_failed_generation(message="x" + letter * MESSAGE_BYTES).message

    assert MESSAGE_BYTES - 4 < len(message.encode()) <= MESSAGE_BYTES
    assert message.rstrip(letter) == "x"


@given(st.text(alphabet=st.characters(), max_size=3000))
def test_any_text_becomes_a_message_that_fits_a_record(text: str) -> None:
    message = short(text)

    assert len(message.encode()) <= MESSAGE_BYTES
    assert "\0" not in message


def test_a_short_message_stays_as_it_is() -> None:
    assert short("the store answered 503 ✗") == "the store answered 503 ✗"


def test_a_message_loses_only_what_no_record_can_hold() -> None:
    assert a_failed_upload(message="a\0b\ud800c").message == "a?b?c"


def test_a_message_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValidationError, match="valid string"):
        a_failed_upload(message=7)


def test_a_url_that_is_too_long_is_refused() -> None:
    UrlSource(url="x" * URL_CHARACTERS)

    with pytest.raises(ValidationError, match="at most 8192"):
        UrlSource(url="x" * (URL_CHARACTERS + 1))


@pytest.mark.parametrize(
    "moment",
    [
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=14))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(2026, 1, 12),  # noqa: DTZ001 - that is what is refused
    ],
    ids=str,
)
def test_a_moment_that_some_zone_or_database_cannot_say_is_refused(moment: datetime) -> None:
    with pytest.raises(ValidationError, match="deadline"):
        a_request(deadline=moment)


def test_a_moment_of_any_zone_is_the_same_moment() -> None:
    there = timezone(timedelta(hours=14))

    assert a_request(deadline=NOON.astimezone(there)) == a_request(deadline=NOON.astimezone(UTC))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_input_with_a_number_that_is_none_is_refused(number: float) -> None:
    for inside in (number, [1, number], {"a": [{"b": number}]}):
        with pytest.raises(ValidationError, match="finite"):
            a_request(input={"guidance": inside})


@pytest.mark.parametrize(
    "changes",
    [
        {"num_outputs": 0}, {"num_outputs": 11}, {"seed": 2**53}, {"seed": -(2**53)}, {"model": ""},
        {"model": "x" * 257}, {"revision": 0}, {"tenant": ""}, {"tenant": "x" * 65},
    ],
    ids=str,
)  # fmt: skip
def test_a_request_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        a_request(**changes)


def test_a_call_number_that_no_plan_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="generation"):
        a_submission(generation=10)


def test_a_fact_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        a_request().prompt = "another"  # type: ignore[misc]


def test_the_same_fact_said_later_has_the_same_id() -> None:
    for first, again in zip(one_of_each(), _said_later(), strict=True):
        assert first.event_id == again.event_id
        assert first.occurred_at != again.occurred_at


def test_facts_that_differ_in_what_names_them_differ_in_their_ids() -> None:
    facts: list[Event] = [
        *one_of_each(),
        a_request(revision=2), a_request(job_id=ANOTHER_JOB),
        a_submission(attempt=2), a_submission(generation=1), a_submission(revision=2),
        a_failed_generation(final=False), a_failed_generation(final=False, attempt=2),
        a_failed_generation(generation=1), a_failed_generation(revision=2),
        a_doubt(held=True), a_doubt(attempt=2), a_doubt(generation=1), a_removal(revision=2),
        a_generated_output(renewal=1), a_generated_output(index=1), a_generated_output(revision=2),
        a_stored_output(index=1), a_stored_output(revision=2), a_stored_output(job_id=ANOTHER_JOB),
        a_failed_upload(final=False), a_failed_upload(final=False, attempt=2), a_failed_upload(index=1),
        a_completion(revision=2),
    ]  # fmt: skip

    assert len({fact.event_id for fact in facts}) == len(facts)


def test_a_final_fact_is_the_same_whatever_attempt_it_came_from() -> None:
    assert a_failed_generation(attempt=1).event_id == a_failed_generation(attempt=3).event_id
    assert a_failed_upload(attempt=1).event_id == a_failed_upload(attempt=3).event_id
    assert a_stored_output(attempt=1).event_id == a_stored_output(attempt=3).event_id
    assert a_generated_output(attempt=1).event_id == a_generated_output(attempt=3).event_id


def _said_later() -> list[Event]:
    return [
        a_request(occurred_at=later(9)),
        a_cancel(occurred_at=later(9)),
        a_retry(occurred_at=later(9)),
        a_callback(occurred_at=later(9)),
        a_submission(occurred_at=later(9)),
        a_failed_generation(occurred_at=later(9)),
        a_doubt(occurred_at=later(9)),
        a_generated_output(occurred_at=later(9)),
        a_stored_output(occurred_at=later(9)),
        a_failed_upload(occurred_at=later(9)),
        a_completion(occurred_at=later(9)),
        a_removal(occurred_at=later(9)),
    ]
