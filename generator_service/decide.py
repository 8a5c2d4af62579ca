"""Pure: what to ask about a claim, what an answer means, and the facts it becomes.

    PENDING ─claimed─▶ INTENT
    PENDING ─cancelled or out of time─▶ FAILED
    INTENT ─accepted─▶ SUBMITTED
    INTENT ─finished at once─▶ SUCCEEDED
    INTENT ─throttled or not sent─▶ PENDING, and it was no attempt
    INTENT ─asked again, and throttled or not sent─▶ INTENT, for the first time may have been heard
    INTENT ─surely failed, may be tried again─▶ PENDING, after a delay
    INTENT ─surely failed for good─▶ FAILED
    INTENT ─lost, asking again is the same call─▶ INTENT
    INTENT ─lost─▶ IN_DOUBT
    IN_DOUBT ─found in the provider's list, or called back─▶ SUBMITTED
    IN_DOUBT ─not found yet─▶ IN_DOUBT, looked for again
    IN_DOUBT ─not found for long, strict─▶ HELD
    IN_DOUBT ─not found for long, settle, or a retry that pays again─▶ PENDING
    HELD ─called back, or adopted by an operator─▶ SUBMITTED
    HELD ─given up, or held too long─▶ FAILED
    SUBMITTED ─still running, or the answer was lost─▶ SUBMITTED, looked at again
    SUBMITTED ─finished─▶ SUCCEEDED
    SUBMITTED ─failed, may be tried again─▶ PENDING, after a delay
    SUBMITTED ─failed for good─▶ FAILED

The intent is stored before the call, so a crash leaves a call in doubt, never forgotten. A known failure may
be tried again; an unknown outcome never is, unless asking again is the same call.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, assert_never
from uuid import UUID

from generator_service.calls import (
    REPEATABLE,
    Call,
    Candidates,
    Capability,
    Failed,
    Finished,
    NotSent,
    Running,
    Throttled,
    Unknown,
)  # fmt: skip
from schemas.events import Event, GenerationFailed, GenerationSubmitted, MediaGenerated

E = TypeVar("E", bound=Event)
Outcome = Running | Finished | Failed | Throttled | NotSent | Unknown | Candidates

ACTIVE = ("INTENT", "IN_DOUBT", "HELD")
"""States in which an attempt may have been accepted without our knowing."""

OUT_OF_TIME = Failed("deadline_exceeded", "the job's deadline passed before a provider was asked", retryable=False)
CANCELLED = Failed("cancelled", "the job was cancelled before a provider was asked", retryable=False)
HELD_TOO_LONG = Failed(
    "outcome_unknown", "the provider's answer was lost and the call never showed up; it may have been paid for",
    retryable=False,
)  # fmt: skip


class Question(StrEnum):
    """What the outside world is asked about a claim."""

    SUBMIT = "submit"
    POLL = "poll"
    FIND = "find"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Claim:
    """A generation that this process may work on until its lease ends; `fence` proves it."""

    call: Call
    job_id: UUID
    tenant: str
    revision: int
    number: int
    provider: str
    fence: int
    state: str
    polls: int
    cost_units: int
    cancel_at: datetime | None
    pay_again: bool

    def says(self, fact: type[E], at: datetime, **facts: Any) -> E:
        """A fact about this attempt."""
        return fact.say(
            self.job_id, self.tenant, at, revision=self.revision, generation=self.number,
            attempt=max(1, self.call.attempt), provider=self.provider, **facts,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a claim: its row's new state, and what is said about it in the same transaction."""

    claim: Claim
    state: str
    due_at: datetime | None
    facts: tuple[Event, ...] = ()
    provider_id: str | None = None
    submitted_at: datetime | None = None
    error: str | None = None
    attempt: int | None = None
    blocked_until: datetime | None = None
    """Until when nothing may be asked of this provider's account by anybody."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How failures and doubts are handled."""

    max_attempts: int
    delay: Callable[[int], float]
    """Seconds to wait after so many attempts."""
    settle: frozenset[str] = frozenset()
    """Providers that are asked again when a lost call was not found for long. Weakens what is promised."""
    look_for: timedelta = timedelta(minutes=10)
    """How long after its intent a lost call is looked for. Replicate's list shows a call within seconds."""
    hold: timedelta = timedelta(hours=24)
    shortest_look: timedelta = timedelta(seconds=2)
    longest_look: timedelta = timedelta(seconds=30)


def question(claim: Claim, capabilities: frozenset[Capability]) -> Question:
    """What to ask, so that nothing can be paid twice. An old intent may have been accepted."""
    match claim.state:
        case "PENDING":
            return Question.SUBMIT
        case "SUBMITTED":
            return Question.POLL
        case "INTENT" if REPEATABLE & capabilities:
            return Question.SUBMIT
        case "INTENT" | "IN_DOUBT" if Capability.LIST_MATCH in capabilities:
            return Question.FIND
        case _:
            return Question.NOTHING


def decide(  # noqa: PLR0911 - one answer, one line
    claim: Claim, outcome: Outcome, at: datetime, policy: Policy, capabilities: frozenset[Capability]
) -> Verdict:
    """Name what came of one question to a provider that can do `capabilities`. Same inputs, same verdict."""
    match outcome:
        case Running(provider_id, look_at):
            return _running(claim, provider_id, look_at or at + _until_next_look(claim, policy), at)
        case Finished(provider_id, sources):
            facts = (*_submitted(claim, provider_id, at), *_generated(claim, sources, at))
            return Verdict(claim, "SUCCEEDED", None, facts, provider_id, claim.call.submitted_at or at)
        case Failed():
            return _failed(claim, outcome, at, policy)
        case Throttled(retry_after, message):
            until = at + retry_after
            return _never_asked(claim, until, message, blocked_until=until)
        case NotSent(why):
            return _never_asked(claim, at + timedelta(seconds=policy.delay(1)), why)
        case Unknown(why):
            return _lost(claim, why, at, policy, capabilities)
        case Candidates():
            return _not_found(claim, outcome, at, policy)
        case _:
            assert_never(outcome)


def pick(candidates: Candidates, claimed: frozenset[str]) -> str | None:
    """The call to adopt: the oldest that no generation has. Two with the same input are worth the same."""
    return next((each for each in candidates.provider_ids if each not in claimed), None)


def give_up(claim: Claim, failure: Failed, at: datetime) -> Verdict:
    """End a generation that was never asked for, or is held: nothing more is tried."""
    fact = claim.says(
        GenerationFailed, at, outputs=claim.call.outputs, code=failure.code, message=failure.message, final=True
    )
    return Verdict(claim, "FAILED", None, (fact,), error=failure.code)


def _running(claim: Claim, provider_id: str, look_at: datetime, at: datetime) -> Verdict:
    facts = tuple(_submitted(claim, provider_id, at))
    return Verdict(claim, "SUBMITTED", look_at, facts, provider_id, claim.call.submitted_at or at)


def _submitted(claim: Claim, provider_id: str, at: datetime) -> Iterator[Event]:
    if claim.state != "SUBMITTED":
        yield claim.says(
            GenerationSubmitted, at, provider_id=provider_id, outputs=claim.call.outputs, cost_units=claim.cost_units
        )


def _generated(claim: Claim, sources: tuple[Any, ...], at: datetime) -> Iterator[Event]:
    """One fact per output that exists, and one final failure for those that were asked for and not made."""
    outputs = claim.call.outputs
    for index, source in zip(outputs, sources, strict=False):
        yield claim.says(MediaGenerated, at, index=index, source=source, output_format=claim.call.output_format)
    if missing := outputs[len(sources) :]:
        words = f"the provider made {len(sources)} of {len(outputs)} outputs"
        yield claim.says(GenerationFailed, at, outputs=missing, code="too_few_outputs", message=words, final=True)


def _failed(claim: Claim, failure: Failed, at: datetime, policy: Policy) -> Verdict:
    again = failure.retryable and claim.call.attempt < policy.max_attempts and claim.cancel_at is None
    next_try = at + timedelta(seconds=policy.delay(claim.call.attempt)) if again else None
    fact = claim.says(
        GenerationFailed, at, outputs=claim.call.outputs, code=failure.code, message=failure.message,
        final=not again, next_try_at=next_try,
    )  # fmt: skip
    return Verdict(claim, "PENDING" if again else "FAILED", next_try, (fact,), error=failure.code)


def _never_asked(claim: Claim, due_at: datetime, why: str, blocked_until: datetime | None = None) -> Verdict:
    if claim.state == "INTENT":
        return Verdict(claim, "INTENT", due_at, error=why, blocked_until=blocked_until)
    return Verdict(claim, "PENDING", due_at, error=why, attempt=claim.call.attempt - 1, blocked_until=blocked_until)


def _lost(claim: Claim, why: str, at: datetime, policy: Policy, capabilities: frozenset[Capability]) -> Verdict:
    """Looking again costs nothing, and so does asking again where that is the same call. Anything else is doubt."""
    again_at = at + timedelta(seconds=policy.delay(claim.call.attempt))
    if claim.state == "SUBMITTED":
        return Verdict(claim, "SUBMITTED", at + _until_next_look(claim, policy), error=why)
    if claim.state != "IN_DOUBT" and REPEATABLE & capabilities:
        return Verdict(claim, "INTENT", again_at, error=why)
    if claim.state != "PENDING" and Capability.LIST_MATCH in capabilities:
        # The list could not be read, so nothing says that the call is not in it: neither held nor paid again yet.
        return Verdict(claim, "IN_DOUBT", at + _until_next_look(claim, policy), error=why)
    return _still_lost(claim, why, at, policy)


def _not_found(claim: Claim, candidates: Candidates, at: datetime, policy: Policy) -> Verdict:
    """The provider's list does not show the lost call, or only calls that are others'."""
    if candidates.complete and _looked_for_long(claim, at, policy) and claim.provider in policy.settle:
        return Verdict(claim, "PENDING", at, error="settled: not found at the provider, asked again")
    return _still_lost(claim, "not found at the provider", at, policy)


def _still_lost(claim: Claim, why: str, at: datetime, policy: Policy) -> Verdict:
    if not _looked_for_long(claim, at, policy):
        return Verdict(claim, "IN_DOUBT", at + _until_next_look(claim, policy), error=why)
    if claim.pay_again:
        return Verdict(claim, "PENDING", at, error="not found at the provider, paid again as requested")
    return Verdict(claim, "HELD", at + policy.hold, error=why)


def _looked_for_long(claim: Claim, at: datetime, policy: Policy) -> bool:
    """Never at the first look: an intent may be as old as an outage of all of us."""
    if claim.state == "INTENT":
        return False
    return claim.call.intent_at is None or at >= claim.call.intent_at + policy.look_for


def _until_next_look(claim: Claim, policy: Policy) -> timedelta:
    """Growing intervals: a call that takes a minute is looked at seven times, one that takes an hour 125 times."""
    return min(policy.shortest_look * 1.5 ** min(claim.polls, 20), policy.longest_look)
