from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.simulators.replicate.course import (
    TERMINAL,
    THROTTLE,
    Course,
    cancel_after,
    charged,
    happenings,
    span_of,
    standing,
)

seconds = st.floats(0, 100) | st.just(inf)
courses = st.builds(
    Course,
    queue=seconds,
    run=seconds,
    outputs=st.integers(0, 5),
    one_by_one=st.booleans(),
    aborts=st.booleans(),
    error=st.none() | st.just("E1000"),
    cancel_after=st.floats(5, 100) | st.just(inf),
    canceled=seconds,
)
RANKS = {"starting": 0, "processing": 1} | dict.fromkeys(TERMINAL, 2)


@given(courses, st.lists(st.floats(0, 5000), min_size=2))
def test_a_status_only_rises_and_an_end_is_final(course: Course, ages: list[float]) -> None:
    seen = [standing(course, age) for age in sorted(ages)]

    assert [RANKS[one.status] for one in seen] == sorted(RANKS[one.status] for one in seen)
    assert len({one.status for one in seen if one.status in TERMINAL}) <= 1
    assert [one.outputs for one in seen if one.status != "failed"] == sorted(
        one.outputs for one in seen if one.status != "failed"
    )


@given(courses)
def test_what_never_started_is_free_and_what_started_is_not(course: Course) -> None:
    span = span_of(course)

    assert charged(course, 1e9) is (span.started < inf or span.ended == inf)
    assert charged(course, -1) is True
    assert span.seconds >= 0


@given(courses)
def test_the_last_webhook_is_the_end_and_is_sent_once(course: Course) -> None:
    due = happenings(course)
    ended = span_of(course).ended < inf

    assert [event for _, event in due].count("completed") == ended
    assert not ended or due[-1][1] == "completed"
    assert [age for age, _ in due] == sorted(age for age, _ in due)


@given(courses)
def test_webhooks_of_a_kind_keep_their_distance(course: Course) -> None:
    for kind in ("output", "logs"):
        ages = [age for age, event in happenings(course) if event == kind]
        assert all(later - sooner >= THROTTLE for sooner, later in pairwise(ages))


@pytest.mark.parametrize(
    ("course", "ending", "started"),
    [
        (Course(1, 2), "succeeded", True),
        (Course(1, 2, error="x"), "failed", True),
        (Course(1, 2, aborts=True), "aborted", False),
        (Course(inf, 2, cancel_after=9), "aborted", False),
        (Course(1, inf, cancel_after=9), "canceled", True),
        (Course(1, 2, canceled=0.5), "canceled", False),
        (Course(1, 2, canceled=2), "canceled", True),
        (Course(1, inf), "canceled", True),  # by the platform's half hour
    ],
)
def test_what_ends_a_prediction_first_decides(course: Course, ending: str, started: bool) -> None:
    span = span_of(course)

    assert (span.ending, span.started < inf) == (ending, started)


@pytest.mark.parametrize(
    ("header", "value"),
    [("5", 5), ("5s", 5), ("1m30s", 90), ("1h30m45s", 5445), ("0.5h", 1800), ("4", None), ("", None), ("x", None)],
)
def test_durations_are_read(header: str, value: float | None) -> None:
    assert cancel_after(header) == value
