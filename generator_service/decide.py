"""Pure: what to ask about a claim, what an answer means, and the facts it becomes.

    PENDING ─claimed─▶ INTENT
    PENDING ─cancelled, out of time, or its provider is gone─▶ FAILED
    PENDING ─called back: an earlier asking was heard after all─▶ SUBMITTED
    PENDING ─its answer came late, and says that it is made─▶ SUCCEEDED
    INTENT ─accepted─▶ SUBMITTED
    INTENT ─finished at once─▶ SUCCEEDED
    INTENT ─throttled or not sent─▶ PENDING, and it was no attempt
    INTENT ─asked again, and throttled, not sent or refused─▶ INTENT, for the first time may have been heard
    INTENT ─asked again, and refused for long─▶ HELD
    INTENT ─surely failed, may be tried again─▶ PENDING, after a delay
    INTENT ─surely failed for good─▶ FAILED
    INTENT ─lost, asking again is the same call─▶ INTENT
    INTENT ─asked again, and lost for longer than any call is held─▶ FAILED
    INTENT ─lost─▶ IN_DOUBT
    IN_DOUBT ─found in the provider's list, or called back─▶ SUBMITTED
    IN_DOUBT ─its answer came late, and says that it is made─▶ SUCCEEDED
    IN_DOUBT ─its answer came late, and says that it failed for good─▶ FAILED
    IN_DOUBT ─not found yet─▶ IN_DOUBT, looked for again
    IN_DOUBT ─not found for long, strict─▶ HELD
    IN_DOUBT ─not found for long, settle, or a retry that pays again─▶ PENDING
    HELD ─called back, or adopted by an operator─▶ SUBMITTED
    HELD ─its answer came late, and says that it is made─▶ SUCCEEDED
    HELD ─its answer came late, and says that it failed and may be tried again─▶ PENDING
    HELD ─given up, or held too long─▶ FAILED
    SUBMITTED ─still running, or the answer was lost─▶ SUBMITTED, looked at again
    SUBMITTED ─finished─▶ SUCCEEDED
    SUBMITTED ─failed, may be tried again─▶ PENDING, after a delay
    SUBMITTED ─failed for good─▶ FAILED

The intent is stored before the call, so a crash leaves a call in doubt, never forgotten. A known failure may
be tried again; an unknown outcome never is, unless asking again is the same call.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never

from generator_service.calls import (
    REPEATABLE,
    Candidates,
    Capability,
    Failed,
    Finished,
    NotSent,
    Running,
    Throttled,
    Unknown,
)  # fmt: skip
from generator_service.claim import Claim, Policy, Verdict
from generator_service.doubt import lost, not_found, refused_again, until_next_look
from generator_service.errors import OF_THE_ACCOUNT
from schemas.events import Event, GenerationFailed, MediaGenerated

ACCOUNT_RESTS = timedelta(minutes=1)
"""How long an account that refused is left alone: about one batch of calls a minute finds out whether it still does."""

Outcome = Running | Finished | Failed | Throttled | NotSent | Unknown | Candidates


class Question(StrEnum):
    """What the outside world is asked about a claim."""

    SUBMIT = "submit"
    POLL = "poll"
    FIND = "find"
    NOTHING = "nothing"


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
            return _running(claim, provider_id, look_at or at + until_next_look(claim, policy), at)
        case Finished(provider_id, sources):
            facts = (*_submitted(claim, provider_id, at), *_generated(claim, sources, at))
            return Verdict(claim, "SUCCEEDED", None, facts, provider_id, claim.call.submitted_at or at)
        case Failed():
            verdict = _failed(claim, outcome, at, policy)
            if outcome.provider_id is None and outcome.code in OF_THE_ACCOUNT:
                return replace(verdict, blocked_until=at + ACCOUNT_RESTS, blocked_why=outcome.code)
            return verdict
        case Throttled(retry_after, message):
            until = at + retry_after
            return _never_asked(claim, until, message, blocked_until=until)
        case NotSent(why):
            return _never_asked(claim, at + timedelta(seconds=policy.delay(1)), why)
        case Unknown(why):
            return lost(claim, why, at, policy, capabilities)
        case Candidates():
            return not_found(claim, outcome, at, policy)
        case _:
            assert_never(outcome)


def pick(candidates: Candidates, claimed: frozenset[str]) -> list[str]:
    """The calls that may be adopted: those that no generation has, the oldest first."""
    return [each for each in candidates.provider_ids if each not in claimed]


def _running(claim: Claim, provider_id: str, look_at: datetime, at: datetime) -> Verdict:
    facts = tuple(_submitted(claim, provider_id, at))
    return Verdict(claim, "SUBMITTED", look_at, facts, provider_id, claim.call.submitted_at or at)


def _submitted(claim: Claim, provider_id: str, at: datetime) -> Iterator[Event]:
    if claim.state != "SUBMITTED":
        yield claim.says_submitted(provider_id, at)


def _generated(claim: Claim, sources: tuple[Any, ...], at: datetime) -> Iterator[Event]:
    """One fact per output that exists, and one final failure for those that were asked for and not made."""
    outputs = claim.call.outputs
    for index, source in zip(outputs, sources, strict=False):
        yield claim.says(MediaGenerated, at, index=index, source=source, output_format=claim.call.output_format)
    if missing := outputs[len(sources) :]:
        words = f"the provider made {len(sources)} of {len(outputs)} outputs"
        yield claim.says(GenerationFailed, at, outputs=missing, code="too_few_outputs", message=words, final=True)


def _failed(claim: Claim, failure: Failed, at: datetime, policy: Policy) -> Verdict:
    if claim.state == "INTENT" and failure.provider_id is None:
        return refused_again(claim, failure, at, policy)
    again = failure.retryable and policy.tries_again(claim) and claim.cancel_at is None
    next_try = at + timedelta(seconds=policy.delay(claim.call.attempt)) if again else None
    failed = claim.says_failed(failure, at, next_try)
    accepted = _submitted(claim, failure.provider_id, at) if failure.provider_id else ()
    return Verdict(
        claim, "PENDING" if again else "FAILED", next_try, (*accepted, failed), failure.provider_id, error=failure.code
    )


def _never_asked(claim: Claim, due_at: datetime, why: str, blocked_until: datetime | None = None) -> Verdict:
    blocked_why = why if blocked_until else None
    if claim.state == "INTENT":
        return Verdict(claim, "INTENT", due_at, error=why, blocked_until=blocked_until, blocked_why=blocked_why)
    return Verdict(
        claim, "PENDING", due_at, error=why, attempt=claim.call.attempt - 1, blocked_until=blocked_until,
        blocked_why=blocked_why,
    )  # fmt: skip
