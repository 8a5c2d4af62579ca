"""What is asked, what an answer means, and that the state diagram in the docstring is the truth."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from generator_service import decide as module
from generator_service.adoption import Meaning, meaning
from generator_service.calls import Candidates, Capability, Failed, Finished, NotSent, Running, Throttled, Unknown
from generator_service.claim import CANCELLED, Claim, Policy, Verdict
from generator_service.decide import Outcome, Question, decide, pick, question
from generator_service.doubt import give_up
from generator_service.tables import State
from schemas.events import GenerationDoubted, GenerationFailed, GenerationSubmitted, MediaGenerated, UrlSource
from tests.builders import NOON, a_call, a_generation_claim, later

POLICY = Policy(max_attempts=3, delay=lambda attempt: 10.0 * attempt)
SETTLE = Policy(max_attempts=3, delay=lambda attempt: 10.0 * attempt, settle=frozenset({"fake"}))
NOTHING: frozenset[Capability] = frozenset()
CLIENT_ID = frozenset({Capability.CLIENT_ID})
LIST = frozenset({Capability.LIST_MATCH, Capability.CALLBACK})
SOURCE = UrlSource(url="https://replicate.delivery/a.jpg")

RUNNING = Running("r-1", later(2))
FINISHED = Finished("r-1", (SOURCE,))
FAILED = Failed("provider_failed", "it broke", retryable=True, provider_id="r-1")
KEPT_OUT = Failed("insufficient_credit", "the account is empty", retryable=True)
REFUSED = Failed("content_policy", "no", retryable=False)
LOST = Unknown("the answer was lost")
NOT_THERE = Candidates((), complete=True)
THROTTLED = Throttled(timedelta(seconds=30), "slow down")
NOT_SENT = NotSent("no connection came about")


def claim_in(
    state: str, *, asked_before: float = 30, pay_again: bool = False, attempt: int = 1, polls: int = 5,
    max_attempts: int | None = None,
) -> Claim:  # fmt: skip
    """A claim in `state` whose call was intended so many seconds before noon, and looked at a few times."""
    submitted_at = later(-20) if state == "SUBMITTED" else None
    call = a_call(attempt=attempt, outputs=(0,), intent_at=later(-asked_before), submitted_at=submitted_at)
    return a_generation_claim(state=state, call=call, pay_again=pay_again, polls=polls, max_attempts=max_attempts)


def decided(
    claim: Claim, outcome: Outcome, capabilities: frozenset[Capability] = LIST, policy: Policy = POLICY
) -> Verdict:
    return decide(claim, outcome, NOON, policy, capabilities)


@pytest.mark.parametrize(
    ("state", "capabilities", "expected"),
    [
        ("PENDING", NOTHING, Question.SUBMIT),
        ("SUBMITTED", NOTHING, Question.POLL),
        ("INTENT", CLIENT_ID, Question.SUBMIT),
        ("INTENT", LIST, Question.FIND),
        ("IN_DOUBT", LIST, Question.FIND),
        ("INTENT", NOTHING, Question.NOTHING),
        ("IN_DOUBT", NOTHING, Question.NOTHING),
        ("HELD", LIST, Question.NOTHING),
    ],
)
def test_nothing_is_asked_that_could_pay_twice(
    state: str, capabilities: frozenset[Capability], expected: Question
) -> None:
    assert question(claim_in(state), capabilities) is expected


@pytest.mark.parametrize("state", ["PENDING", "INTENT", "IN_DOUBT"])
def test_an_accepted_call_is_said_once(state: str) -> None:
    verdict = decided(claim_in(state), RUNNING)

    [fact] = verdict.facts
    assert isinstance(fact, GenerationSubmitted)
    assert (fact.provider_id, fact.attempt, verdict.state, verdict.due_at) == ("r-1", 1, "SUBMITTED", later(2))


def test_a_finished_call_says_what_it_made_and_what_is_missing() -> None:
    claim = a_generation_claim(state="SUBMITTED", call=a_call(outputs=(0, 1), submitted_at=later(-9)))

    verdict = decided(claim, FINISHED)

    assert [type(fact) for fact in verdict.facts] == [MediaGenerated, GenerationFailed]
    assert isinstance(verdict.facts[1], GenerationFailed)
    assert (verdict.facts[1].outputs, verdict.facts[1].code) == ((1,), "too_few_outputs")


def test_a_known_failure_is_tried_again_within_the_budget_and_then_is_final() -> None:
    again, over = decided(claim_in("SUBMITTED"), FAILED), decided(claim_in("SUBMITTED", attempt=3), FAILED)

    assert (again.state, again.due_at) == ("PENDING", later(10))
    assert (over.state, over.due_at) == ("FAILED", None)


def test_a_job_may_ask_for_fewer_tries_and_never_for_more() -> None:
    once, often = (decided(claim_in("SUBMITTED", attempt=n, max_attempts=m), FAILED) for n, m in ((1, 1), (3, 20)))

    assert (once.state, often.state) == ("FAILED", "FAILED")


def test_a_call_that_was_accepted_and_failed_at_once_is_said_to_have_been_accepted() -> None:
    verdict = decided(claim_in("PENDING"), FAILED)

    assert [type(fact) for fact in verdict.facts] == [GenerationSubmitted, GenerationFailed]
    assert (verdict.state, verdict.provider_id) == ("PENDING", "r-1")


@pytest.mark.parametrize("refusal", [KEPT_OUT, REFUSED])
def test_a_refusal_of_a_repeated_asking_says_nothing_of_the_first(refusal: Failed) -> None:
    soon = decided(claim_in("INTENT", asked_before=30), refusal, CLIENT_ID)
    late = decided(claim_in("INTENT", asked_before=601), refusal, CLIENT_ID)
    first = decided(claim_in("INTENT", asked_before=86_400, polls=1), refusal, CLIENT_ID)

    assert (soon.state, soon.facts, soon.attempt) == ("INTENT", (), None)
    assert (late.state, late.due_at) == ("HELD", NOON + POLICY.hold)
    assert first.state == "INTENT"


def test_a_repeatable_call_whose_answer_is_never_heard_ends_once_nothing_would_be_held_any_longer() -> None:
    """A container that answers 500 to it for ever: not even a cancel ended it."""
    ages = (601, 24 * 3600 + 599, 24 * 3600 + 600)
    early, longer, late = (decided(claim_in("INTENT", asked_before=age), LOST, CLIENT_ID) for age in ages)
    first = decided(claim_in("INTENT", asked_before=10**6, polls=1), LOST, CLIENT_ID)

    assert [verdict.state for verdict in (early, longer, late, first)] == ["INTENT", "INTENT", "FAILED", "INTENT"]
    assert late.error == "outcome_unknown"


def test_a_failure_is_said_with_the_providers_own_code() -> None:
    broken = Failed("out_of_memory", "no", retryable=False, provider_code="E1001", provider_id="r-1")

    [*_, fact] = decided(claim_in("SUBMITTED"), broken).facts

    assert isinstance(fact, GenerationFailed)
    assert fact.provider_code == "E1001"


def test_a_repeated_asking_that_names_the_failed_call_ends_the_attempt() -> None:
    assert decided(claim_in("INTENT"), FAILED, CLIENT_ID).state == "PENDING"


def test_a_refusal_is_final_at_once() -> None:
    assert decided(claim_in("PENDING"), REFUSED).state == "FAILED"


@pytest.mark.parametrize("outcome", [THROTTLED, NOT_SENT])
def test_what_was_surely_not_heard_is_no_attempt_and_no_fact(outcome: Outcome) -> None:
    verdict = decided(claim_in("PENDING"), outcome)

    assert (verdict.state, verdict.attempt, verdict.facts) == ("PENDING", 0, ())


def test_a_throttled_account_is_asked_nothing_more_for_that_long() -> None:
    assert decided(claim_in("PENDING"), THROTTLED).blocked_until == later(30)


@pytest.mark.parametrize("code", ["unauthenticated", "insufficient_credit"])
@pytest.mark.parametrize("state", ["PENDING", "INTENT"])
def test_a_refusal_of_the_whole_account_lets_it_rest_for_a_minute_and_changes_nothing_else(
    code: str, state: str
) -> None:  # fmt: skip
    refusal = Failed(code, "no", retryable=code == "insufficient_credit")

    verdict = decided(claim_in(state), refusal, CLIENT_ID)
    of_this_call_alone = decided(claim_in(state), replace(refusal, code="provider_failed"), CLIENT_ID)

    assert (verdict.blocked_until, verdict.blocked_why) == (later(60), code)
    assert (verdict.state, verdict.due_at, verdict.attempt) == (
        of_this_call_alone.state, of_this_call_alone.due_at, of_this_call_alone.attempt,
    )  # fmt: skip


@pytest.mark.parametrize("failure", [FAILED, REFUSED, replace(KEPT_OUT, provider_id="r-1")])
def test_a_failure_of_one_call_leaves_its_account_alone(failure: Failed) -> None:
    assert decided(claim_in("SUBMITTED"), failure).blocked_until is None


@pytest.mark.parametrize("capabilities", [NOTHING, LIST])
def test_an_unknown_outcome_is_never_asked_again(capabilities: frozenset[Capability]) -> None:
    for state in ("PENDING", "INTENT", "IN_DOUBT"):
        for age in (1, 600, 86_400):
            assert decided(claim_in(state, asked_before=age), LOST, capabilities).state in ("IN_DOUBT", "HELD")


def test_a_lost_call_is_looked_for_and_then_held_under_the_strict_policy() -> None:
    early, late = (decided(claim_in("IN_DOUBT", asked_before=age), NOT_THERE) for age in (30, 601))

    assert (early.state, late.state) == ("IN_DOUBT", "HELD")
    assert late.due_at == NOON + POLICY.hold


def test_a_doubt_is_said_once_when_it_begins_and_once_when_the_call_is_held() -> None:
    made = decided(claim_in("PENDING", asked_before=1, polls=0), LOST)
    found = decided(claim_in("INTENT", polls=1), NOT_THERE)
    looked_again = decided(claim_in("IN_DOUBT"), NOT_THERE)
    held = decided(claim_in("IN_DOUBT", asked_before=601), NOT_THERE)

    said = [[fact.held for fact in verdict.facts if isinstance(fact, GenerationDoubted)]
            for verdict in (made, found, looked_again, held)]  # fmt: skip
    assert said == [[False], [False], [], [True]]


def test_settle_asks_again_only_when_the_whole_list_was_read_and_long_after() -> None:
    early = decided(claim_in("IN_DOUBT", asked_before=30), NOT_THERE, policy=SETTLE)
    partly = decided(claim_in("IN_DOUBT", asked_before=601), Candidates((), complete=False), policy=SETTLE)
    late = decided(claim_in("IN_DOUBT", asked_before=601), NOT_THERE, policy=SETTLE)

    assert (early.state, partly.state, late.state) == ("IN_DOUBT", "HELD", "PENDING")
    assert (early.settled, late.settled) == (False, True)


def test_settling_ends_the_attempt_in_the_log_and_never_exceeds_the_tries() -> None:
    again = decided(claim_in("IN_DOUBT", asked_before=601), NOT_THERE, policy=SETTLE)
    once = decided(claim_in("IN_DOUBT", asked_before=601, max_attempts=1), NOT_THERE, policy=SETTLE)

    [fact] = again.facts
    assert isinstance(fact, GenerationFailed)
    assert (fact.code, fact.final, once.state) == ("outcome_unknown", False, "HELD")


def test_a_retry_that_pays_again_is_not_counted_as_settled() -> None:
    verdict = decided(claim_in("IN_DOUBT", asked_before=601, pay_again=True), NOT_THERE)

    assert (verdict.state, verdict.settled) == ("PENDING", False)


def test_a_lost_poll_is_asked_again_and_nothing_else() -> None:
    assert decided(claim_in("SUBMITTED"), LOST).state == "SUBMITTED"


def test_giving_up_says_a_final_failure() -> None:
    verdict = give_up(claim_in("PENDING", attempt=0), CANCELLED, NOON)

    [fact] = verdict.facts
    assert isinstance(fact, GenerationFailed)
    assert (verdict.state, fact.code, fact.final, fact.attempt) == ("FAILED", "cancelled", True, 1)


def test_calls_that_nobody_has_may_be_adopted_the_oldest_first() -> None:
    candidates = Candidates(("a", "b", "c"), complete=True)

    assert pick(candidates, frozenset({"a"})) == ["b", "c"]
    assert pick(candidates, frozenset({"a", "b", "c"})) == []


def drawn() -> set[tuple[str, str]]:
    """Every arrow of the docstring's drawing, from state to state."""
    arrows = re.findall(r"^    (\w+) ─[^▶]*▶ (\w+)", module.__doc__ or "", re.MULTILINE)
    return {(start, end) for start, end in arrows}


def happening() -> set[tuple[str, str]]:
    """Every way that a claim, an operator or a callback can take a generation. A claim that is asked is an INTENT."""
    outcomes: dict[str, list[Outcome]] = {
        "PENDING": [RUNNING, FINISHED, FAILED, KEPT_OUT, REFUSED, THROTTLED, NOT_SENT, LOST],
        "INTENT": [RUNNING, FINISHED, FAILED, KEPT_OUT, REFUSED, THROTTLED, NOT_SENT, LOST],
        "IN_DOUBT": [RUNNING, NOT_THERE, LOST],
        "SUBMITTED": [RUNNING, FINISHED, FAILED, REFUSED, LOST],
    }
    seen = {("PENDING", "INTENT"), ("PENDING", "FAILED"), ("HELD", "FAILED")}
    adoptable = {
        state.value for state in State if meaning(claim_in(state.value), 1, "r-1", owned=False) is Meaning.LOST_ONE
    }
    late = {decided(claim_in("PENDING", attempt=n), end).state for end in (FINISHED, FAILED) for n in (1, 3)}
    seen |= {(state, end) for state in adoptable for end in late | {"SUBMITTED"} if state != end}
    for state, answers in outcomes.items():
        for outcome in answers:
            for capabilities in (NOTHING, LIST, CLIENT_ID):
                for policy in (POLICY, SETTLE):
                    for age in (1, 601):
                        claim = claim_in(state, asked_before=age)
                        if question(claim, capabilities) is not _asking(state, outcome):
                            continue
                        if state == "PENDING" and age > 60:
                            continue  # a call is asked for at once
                        verdict = decided(claim, outcome, capabilities, policy)
                        seen.add(("INTENT" if state == "PENDING" else state, verdict.state))
    return seen


def _asking(state: str, outcome: Outcome) -> Question:
    if state == "SUBMITTED":
        return Question.POLL
    return Question.FIND if state == "IN_DOUBT" else Question.SUBMIT


def test_the_drawing_and_the_code_agree() -> None:
    assert happening() == drawn()
    assert {state for arrow in drawn() for state in arrow} == {state.value for state in State}
