"""When to try again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage.retry import delay_before


@pytest.mark.parametrize(("attempt", "longest"), [(1, 5), (2, 10), (3, 20), (10, 2560), (11, 3600), (1_000_000, 3600)])
def test_the_longest_wait_doubles_up_to_the_maximum(attempt: int, longest: float) -> None:
    assert delay_before(attempt, initial=5, maximum=3600, chance=1.0) == longest


@given(st.integers(1, 1_000_000))
def test_a_wait_lies_anywhere_between_nothing_and_the_longest(attempt: int) -> None:
    longest = delay_before(attempt, initial=5, maximum=3600, chance=1.0)

    assert 0 <= delay_before(attempt, initial=5, maximum=3600) <= longest
    assert delay_before(attempt, initial=5, maximum=3600, chance=0.25) == longest / 4


def test_what_failed_together_does_not_come_back_together() -> None:
    waits = {delay_before(3, initial=5, maximum=3600) for _ in range(50)}

    assert len(waits) > 40
