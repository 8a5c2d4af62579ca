"""What an answer means, and that the state diagram in the docstring is the truth."""

import re
from dataclasses import replace
from itertools import product

import pytest

from generator_service import decide as module
from generator_service.calls import Capability, Failed, Finished, Outcome, Running, Unknown
from generator_service.decide import Budget, Claim, Verdict, decide, may_ask, too_late
from generator_service.tables import State
from schemas.events import GenerationFailed, GenerationSubmitted, MediaGenerated, StagedSource, UrlSource
from tests.builders import NOON, a_call, a_generation_claim, later

BUDGET = Budget(max_attempts=3, delay=lambda attempt: 10.0 * attempt)
NOTHING: frozenset[Capability] = frozenset()
CLIENT_ID = frozenset({Capability.CLIENT_ID})
SOURCE = UrlSource(url="https://replicate.delivery/a.jpg")

RUNNING = Running("r-1", later(2))
FINISHED = Finished("r-1", (SOURCE,))
FAILED = Failed("provider_failed", "it broke", retryable=True)
REFUSED = Failed("content_policy", "no", retryable=False)
LOST = Unknown("the answer was lost")


def decided(claim: Claim, outcome: Outcome, capabilities: frozenset[Capability] = NOTHING) -> Verdict:
    return decide(claim, outcome, NOON, BUDGET, capabilities)


def claim_in(state: str, attempt: int = 1, outputs: tuple[int, ...] = (0,)) -> Claim:
    submitted_at = later(-60) if state == "SUBMITTED" else None
    return a_generation_claim(state=state, call=a_call(attempt=attempt, outputs=outputs, submitted_at=submitted_at))


@pytest.mark.parametrize("state", ["PENDING", "INTENT"])
def test_an_accepted_call_is_said_once_and_looked_at_again(state: str) -> None:
    claim = claim_in(state)

    verdict = decided(claim, RUNNING)

    [fact] = verdict.facts
    assert isinstance(fact, GenerationSubmitted)
    assert (fact.provider_id, fact.outputs, fact.attempt) == ("r-1", (0,), 1)
    assert verdict == Verdict(claim, "SUBMITTED", later(2), (fact,), "r-1", NOON)


def test_a_call_that_still_runs_says_nothing_new_and_keeps_its_time() -> None:
    claim = claim_in("SUBMITTED")

    assert decided(claim, RUNNING) == Verdict(claim, "SUBMITTED", later(2), (), "r-1", later(-60))


def test_a_call_that_finishes_at_once_says_that_it_was_submitted_too() -> None:
    verdict = decided(claim_in("PENDING"), FINISHED)

    assert [type(fact) for fact in verdict.facts] == [GenerationSubmitted, MediaGenerated]
    assert (verdict.state, verdict.due_at, verdict.provider_id) == ("SUCCEEDED", None, "r-1")


def test_each_output_of_a_finished_call_is_said_with_its_own_index_and_source() -> None:
    staged = StagedSource(key="staged/1", sha256="0" * 64, size=5)

    verdict = decided(claim_in("SUBMITTED", outputs=(4, 5)), Finished("r-1", (SOURCE, staged)))

    made = [fact for fact in verdict.facts if isinstance(fact, MediaGenerated)]
    assert [(fact.index, fact.source) for fact in made] == [(4, SOURCE), (5, staged)]
    assert len(verdict.facts) == 2


def test_outputs_that_were_asked_for_and_not_made_fail_for_good() -> None:
    verdict = decided(claim_in("SUBMITTED", outputs=(4, 5, 6)), FINISHED)

    made, missing = verdict.facts
    assert isinstance(made, MediaGenerated)
    assert isinstance(missing, GenerationFailed)
    assert made.index == 4
    assert (missing.outputs, missing.code, missing.final) == ((5, 6), "too_few_outputs", True)
    assert missing.message == "the provider made 1 of 3 outputs"


def test_outputs_that_nobody_asked_for_are_left_out() -> None:
    verdict = decided(claim_in("SUBMITTED"), Finished("r-1", (SOURCE, SOURCE)))

    assert len(verdict.facts) == 1


@pytest.mark.parametrize("state", ["PENDING", "INTENT", "SUBMITTED"])
def test_a_known_failure_is_tried_again_after_a_delay_that_the_fact_names(state: str) -> None:
    claim = claim_in(state, attempt=2)

    verdict = decided(claim, FAILED)

    [fact] = verdict.facts
    assert isinstance(fact, GenerationFailed)
    assert (fact.final, fact.next_try_at, fact.attempt) == (False, later(20), 2)
    assert verdict == Verdict(claim, "PENDING", later(20), (fact,), error="provider_failed")


@pytest.mark.parametrize(("attempt", "outcome"), [(3, FAILED), (4, FAILED), (1, REFUSED)], ids=str)
def test_a_failure_without_a_further_try_is_final(attempt: int, outcome: Failed) -> None:
    verdict = decided(claim_in("SUBMITTED", attempt=attempt, outputs=(1, 2)), outcome)

    [fact] = verdict.facts
    assert isinstance(fact, GenerationFailed)
    assert (fact.final, fact.next_try_at, fact.outputs, fact.code) == (True, None, (1, 2), outcome.code)
    assert (verdict.state, verdict.due_at) == ("FAILED", None)


@pytest.mark.parametrize("state", ["PENDING", "INTENT"])
def test_a_lost_answer_is_held_because_asking_again_could_pay_again(state: str) -> None:
    claim = claim_in(state)

    assert decided(claim, LOST) == Verdict(claim, "HELD", None, error="the answer was lost")


@pytest.mark.parametrize("state", ["PENDING", "INTENT"])
def test_a_lost_answer_is_asked_for_again_where_asking_again_is_the_same_call(state: str) -> None:
    claim = claim_in(state)

    assert decided(claim, LOST, CLIENT_ID) == Verdict(claim, "INTENT", later(10), error="the answer was lost")


@pytest.mark.parametrize("capabilities", [NOTHING, CLIENT_ID], ids=str)
def test_a_lost_look_at_a_running_call_is_repeated(capabilities: frozenset[Capability]) -> None:
    claim = claim_in("SUBMITTED")

    assert decided(claim, LOST, capabilities) == Verdict(claim, "SUBMITTED", later(10), error="the answer was lost")


def test_the_same_question_gets_the_same_verdict() -> None:
    assert decided(claim_in("INTENT"), FINISHED) == decided(claim_in("INTENT"), FINISHED)


@pytest.mark.parametrize(
    ("state", "capabilities", "may"),
    [("PENDING", NOTHING, True), ("PENDING", CLIENT_ID, True), ("INTENT", NOTHING, False), ("INTENT", CLIENT_ID, True)],
)
def test_an_old_intent_is_asked_about_only_where_that_cannot_pay_twice(
    state: str, capabilities: frozenset[Capability], may: bool
) -> None:
    assert may_ask(claim_in(state), capabilities) is may


def test_a_deadline_ends_only_what_was_never_asked() -> None:
    assert too_late(replace(claim_in("PENDING"), deadline=NOON), NOON)
    assert not too_late(replace(claim_in("PENDING"), deadline=later(1)), NOON)
    assert not too_late(claim_in("PENDING"), NOON)
    assert not too_late(replace(claim_in("INTENT"), deadline=NOON), NOON)
    assert not too_late(replace(claim_in("SUBMITTED"), deadline=NOON), NOON)


def drawn() -> set[tuple[str, str]]:
    """The arrows of the diagram."""
    arrows = re.findall(r"^ +([A-Z_]+) ─[^─]+─▶ ([A-Z_]+)", module.__doc__ or "", re.MULTILINE)
    assert len(arrows) == (module.__doc__ or "").count("▶")
    return set(arrows)


def occurring() -> set[tuple[str, str]]:
    """Every step that a verdict takes. A claimed row is an INTENT, whether it was claimed first or again."""
    steps = {("PENDING", "INTENT")}
    outcomes: list[Outcome] = [RUNNING, FINISHED, FAILED, REFUSED, LOST]
    for state, attempt, outcome, capabilities in product(
        ("PENDING", "INTENT", "SUBMITTED"), (1, 3), outcomes, (NOTHING, CLIENT_ID)
    ):
        row = "SUBMITTED" if state == "SUBMITTED" else "INTENT"
        steps.add((row, decided(claim_in(state, attempt), outcome, capabilities).state))
    return steps


def test_the_diagram_draws_every_step_that_occurs_and_no_other() -> None:
    assert drawn() == occurring()


def test_the_diagram_knows_every_state_of_a_row() -> None:
    assert {state for arrow in drawn() for state in arrow} == {state.value for state in State}
