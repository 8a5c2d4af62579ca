"""When a bill is an alarm."""

from datetime import UTC, datetime

import pytest

from generator_service.bill_check import BillCheck
from generator_service.providers.billing import Billed

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("listed", "ours", "submitted", "extras", "alarm"),
    [
        pytest.param(0, 0, 0, (), False, id="nothing was done"),
        pytest.param(3, 3, 3, (), False, id="all of them ours"),
        pytest.param(3, 2, 2, (Billed("p-1", NOON, "succeeded"),), True, id="one too many"),
        pytest.param(0, 0, 3, (), True, id="a list that shows nothing of ours proves nothing"),
    ],
)
def test_a_bill_is_an_alarm_when_it_shows_more_than_our_books_or_nothing_of_them(
    listed: int, ours: int, submitted: int, extras: tuple[Billed, ...], alarm: bool
) -> None:
    check = BillCheck("replicate", NOON, NOON, listed, ours, submitted, held=0, extras=extras)

    assert check.alarm is alarm
