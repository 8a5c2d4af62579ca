"""How many calls may be made: the bucket, the day's caps, and clocks that differ."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from generator_service.allowance import Account, Limits, allowed, refilled, spent

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
EMPTY = Account("paid", 0.0, NOON, None, NOON.date(), 0, 0)


def test_tokens_come_in_by_the_minute_up_to_the_burst() -> None:
    limits = Limits(per_minute=60, burst=10)

    assert refilled(EMPTY, limits, NOON + timedelta(seconds=3)).tokens == 3
    assert refilled(EMPTY, limits, NOON + timedelta(hours=1)).tokens == 10


def test_a_replica_whose_clock_is_behind_lets_no_second_come_in_twice() -> None:
    limits = Limits(per_minute=60, burst=100)
    ahead = refilled(EMPTY, limits, NOON + timedelta(seconds=10))

    behind = refilled(ahead, limits, NOON)
    again = refilled(behind, limits, NOON + timedelta(seconds=10))

    assert (ahead.tokens, behind.tokens, again.tokens) == (10, 10, 10)


def test_a_new_day_begins_once_whatever_a_slow_clock_says_after() -> None:
    yesterday = replace(EMPTY, calls=7, cost_units=9)
    today = spent(refilled(yesterday, Limits(), NOON + timedelta(days=1)), 2, 4)

    late = refilled(today, Limits(), NOON)

    assert (late.calls, late.cost_units) == (2, 4)


def test_nothing_is_allowed_while_the_account_is_blocked() -> None:
    blocked = replace(EMPTY, blocked_until=NOON + timedelta(seconds=30))

    assert allowed(blocked, Limits(), NOON) == 0
    assert allowed(blocked, Limits(), NOON + timedelta(seconds=30)) > 0


def test_the_least_of_all_limits_counts() -> None:
    account = replace(EMPTY, tokens=50.9, calls=8, cost_units=90)

    assert allowed(account, Limits(per_minute=60, burst=60), NOON) == 50
    assert allowed(account, Limits(calls_a_day=10), NOON) == 2
    assert allowed(account, Limits(cost_a_day=100, dearest=3), NOON) == 3
    assert allowed(account, Limits(cost_a_day=90), NOON) == 0
    assert allowed(account, Limits(calls_a_day=5), NOON) == 0
