"""What a call at the provider is to its generation, when we hear of it by another road than its answer."""

import pytest

from generator_service.adoption import Meaning, meaning
from generator_service.claim import Claim
from tests.builders import a_call, a_generation_claim


def a_generation(state: str, *, attempt: int = 2, provider_id: str | None = None) -> Claim:
    return a_generation_claim(state=state, call=a_call(attempt=attempt, provider_id=provider_id))


@pytest.mark.parametrize("state", ["PENDING", "INTENT", "IN_DOUBT", "HELD"])
def test_a_call_made_for_this_attempt_is_the_lost_one(state: str) -> None:
    assert meaning(a_generation(state), 2, "new", owned=False) is Meaning.LOST_ONE


def test_the_call_that_the_generation_has_is_no_news() -> None:
    assert meaning(a_generation("SUBMITTED", provider_id="mine"), 2, "mine", owned=True) is Meaning.KNOWN


@pytest.mark.parametrize("state", ["PENDING", "INTENT", "IN_DOUBT", "HELD", "FAILED"])
def test_a_call_that_is_anothers_is_left_alone(state: str) -> None:
    assert meaning(a_generation(state), 2, "theirs", owned=True) is Meaning.ANOTHERS


@pytest.mark.parametrize("state", ["PENDING", "INTENT", "IN_DOUBT", "HELD", "SUBMITTED", "FAILED"])
def test_a_call_of_an_attempt_that_was_never_made_is_left_alone(state: str) -> None:
    assert meaning(a_generation(state, attempt=1), 2, "odd", owned=False) is Meaning.ANOTHERS


def test_a_call_that_was_given_up_may_be_looked_for_by_a_later_revision() -> None:
    assert meaning(a_generation("FAILED"), 2, "late", owned=False) is Meaning.GIVEN_UP


@pytest.mark.parametrize("state", ["SUBMITTED", "SUCCEEDED", "FAILED"])
def test_a_second_call_of_a_generation_that_has_one_is_a_duplicate(state: str) -> None:
    assert meaning(a_generation(state, provider_id="mine"), 2, "second", owned=False) is Meaning.DUPLICATE


@pytest.mark.parametrize("state", ["PENDING", "INTENT", "IN_DOUBT", "HELD", "SUBMITTED", "SUCCEEDED", "FAILED"])
def test_a_call_of_an_earlier_attempt_is_a_duplicate(state: str) -> None:
    """A settled one, or one that the provider said it had refused: the generation goes on without it."""
    assert meaning(a_generation(state), 1, "old", owned=False) is Meaning.DUPLICATE
