"""What stands against a call's being the one that is held."""

from datetime import datetime, timedelta

import pytest

from generator_service.adopt_check import objection
from generator_service.operations import Done
from generator_service.providers.billing import Shown
from tests.builders import NOON, a_call, later


def shown(same: bool | None, made_at: datetime | None = NOON) -> Shown:
    return Shown("p-1", "acme/pictures", made_at, "succeeded", same)


@pytest.mark.parametrize("same", [True, None])
@pytest.mark.parametrize("made_at", [NOON - timedelta(seconds=30), later(3), None])
def test_a_call_that_may_be_the_lost_one_is_taken(same: bool | None, made_at: datetime | None) -> None:
    """Clocks differ by seconds, and a provider forgets what was asked of it within the hour."""
    assert objection(a_call(intent_at=NOON), shown(same, made_at)) is None


def test_a_call_that_the_provider_does_not_have_is_not() -> None:
    assert objection(a_call(intent_at=NOON), None) is Done.UNKNOWN_THERE


@pytest.mark.parametrize(
    "other", [shown(False), shown(True, NOON - timedelta(minutes=5)), shown(None, NOON - timedelta(minutes=5))]
)
def test_a_call_that_asks_for_something_else_or_was_made_before_is_not(other: Shown) -> None:
    assert objection(a_call(intent_at=NOON), other) is Done.ANOTHERS
