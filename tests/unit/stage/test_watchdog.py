"""When a consumer is taken for stuck."""

import pytest

from stage.watchdog import Look, idle_since

BEFORE = Look(lag=5, batches=7, excused=False)


def test_lag_without_a_batch_has_lasted_since_it_began() -> None:
    assert idle_since(BEFORE, Look(lag=9, batches=7, excused=False), since=100, at=130) == 100


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (None, Look(lag=5, batches=7, excused=False)),
        (BEFORE, Look(lag=0, batches=7, excused=False)),
        (BEFORE, Look(lag=5, batches=8, excused=False)),
        (BEFORE, Look(lag=5, batches=7, excused=True)),
    ],
    ids=["the first look", "nothing to read", "a batch was read", "busy, or a fault explains it"],
)
def test_a_consumer_that_is_not_stuck_begins_anew(before: Look | None, now: Look) -> None:
    assert idle_since(before, now, since=100, at=130) == 130
