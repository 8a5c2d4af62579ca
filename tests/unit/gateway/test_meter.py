"""Leased tokens: never more than the bucket gives, whoever asks when."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.meter import KEPT, PAUSE, SHARE, SPAN, Bucket, Lease, Meter

REPLICAS = 3
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("request"), st.integers(0, REPLICAS - 1), st.integers(1, 40)),
        st.tuples(st.just("sweep"), st.integers(0, REPLICAS - 1), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, REPLICAS - 1), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.sampled_from([0.001, 0.03, 0.4, 2.0, 7.0, 90.0])),
    ),
    max_size=80,
)


def requested(meter: Meter, bucket: Bucket, waiting: int, at: float) -> int:
    """How many of so many requests at one moment are let in."""
    let_in = 0
    while let_in < waiting:
        if meter.take(at):
            let_in += 1
        elif meter.refused_for(at):
            break
        else:
            meter.leased(Lease(bucket.take(meter.wanted(waiting - let_in, at), at), bucket.tokens), at)
    return let_in


@given(MOVES, st.sampled_from([1, 7, 60, 6_000]))
@settings(max_examples=200, deadline=None)
def test_however_replicas_take_turns_they_let_in_no_more_than_the_bucket_and_what_came_in(
    moves: list[tuple[str, int, float]], per_minute: int
) -> None:
    at, bucket, let_in = 0.0, Bucket(per_minute, per_minute, 0.0), [(0.0, 0)]
    meters = [Meter(per_minute, at) for _ in range(REPLICAS)]
    for move, who, much in moves:
        if move == "wait":
            at += much
        elif move == "sweep":
            bucket.put(meters[who].give_back(at), at)
        elif move == "crash":
            meters[who] = Meter(per_minute, at)
        else:
            let_in.append((at, requested(meters[who], bucket, int(much), at)))

    for start, _ in let_in:
        # Also in the middle of a life: what is used within any time was leased in it, or little before.
        used = sum(many for when, many in let_in if when >= start)
        assert used <= per_minute * (1 + (at - start + (KEPT if start else 0)) / 60) + 1e-6


@given(MOVES)
@settings(max_examples=50, deadline=None)
def test_tokens_are_lost_by_crashes_only(moves: list[tuple[str, int, float]]) -> None:
    at, bucket, let_in = 0.0, Bucket(600, 600, 0.0), 0
    meters = [Meter(600, at) for _ in range(REPLICAS)]
    for move, who, much in moves:
        if move == "sweep":
            bucket.put(meters[who].give_back(at), at)
        elif move == "request":
            let_in += requested(meters[who], bucket, int(much), at)
    for meter in meters:
        bucket.put(meter.give_back(math.inf), at)

    assert bucket.tokens + let_in == pytest.approx(600)


def test_a_busy_caller_is_leased_two_seconds_worth_and_no_more_than_a_share_of_the_bucket() -> None:
    meter, sizes, at = Meter(6_000_000, 0.0), [], 0.0
    for _ in range(20_000):
        while not meter.take(at):
            sizes.append(meter.wanted(1, at))
            meter.leased(Lease(sizes[-1], 5_000_000), at)
        at += 0.0005

    assert max(sizes) == pytest.approx(2_000 * SPAN, rel=0.01)
    assert len(sizes) <= 15

    meter.per_minute = 6_000

    assert meter.wanted(1, at) == 6_000 // SHARE


def test_every_request_that_waits_is_asked_for_however_small_the_share() -> None:
    assert Meter(60, 0.0).wanted(25, 0.0) == 25


def test_tokens_that_were_kept_for_too_long_are_not_used_but_given_back_once() -> None:
    meter = Meter(600, 0.0)
    meter.leased(Lease(5, 100), 0.0)

    assert meter.take(KEPT - 0.01)
    assert meter.give_back(KEPT - 0.01) == 0
    assert not meter.take(KEPT)
    assert [meter.give_back(KEPT), meter.give_back(KEPT)] == [4, 0]


def test_tokens_that_a_new_lease_replaces_are_given_back_too() -> None:
    meter = Meter(600, 0.0)
    meter.leased(Lease(5, 100), 0.0)
    meter.leased(Lease(2, 98), KEPT + 1)

    assert meter.give_back(KEPT + 1) == 5
    assert [meter.take(KEPT + 1) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("per_minute", "left", "seconds"), [(60, 0.0, 1.0), (60, 0.75, 0.25), (6_000, 0.0, PAUSE), (1, 0.5, 30.0)]
)
def test_an_empty_bucket_is_left_alone_until_something_came_in(per_minute: int, left: float, seconds: float) -> None:
    meter = Meter(per_minute, 0.0)
    meter.leased(Lease(0, left), 10.0)

    assert meter.refused_for(10.0) == pytest.approx(seconds)
    assert meter.refused_for(10.0 + seconds) == 0


def test_what_is_left_counts_what_is_held_and_what_came_in_up_to_a_full_bucket() -> None:
    meter = Meter(60, 0.0)
    meter.leased(Lease(3, 10.5), 0.0)
    meter.take(0.0)

    assert [meter.left(0.0), meter.left(2.0), meter.left(1_000.0)] == [12, 14, 60]


def test_a_clock_that_goes_back_brings_nothing_in() -> None:
    bucket = Bucket(60, 0, 100.0)

    assert bucket.take(1, 40.0) == 0
    assert bucket.take(5, 103.0) == 3
