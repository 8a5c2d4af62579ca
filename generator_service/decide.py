"""Pure: what an answer means, and the facts it becomes.

    PENDING ─claim─▶ INTENT
    INTENT ─accepted─▶ SUBMITTED
    INTENT ─finished at once─▶ SUCCEEDED
    INTENT ─surely failed, may be tried again─▶ PENDING, after a delay
    INTENT ─surely failed for good─▶ FAILED
    INTENT ─lost, the provider knows our id─▶ INTENT, asked again under it
    INTENT ─lost otherwise─▶ HELD
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
from typing import Any, TypeVar, assert_never
from uuid import UUID

from generator_service.calls import Call, Capability, Failed, Finished, Outcome, Running, Unknown
from schemas.events import Event, GenerationFailed, GenerationSubmitted, MediaGenerated

E = TypeVar("E", bound=Event)


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
    deadline: datetime | None

    def says(self, fact: type[E], at: datetime, **facts: Any) -> E:
        """A fact about this attempt."""
        return fact.say(
            self.job_id, self.tenant, at, revision=self.revision, generation=self.number,
            attempt=self.call.attempt, provider=self.provider, **facts,
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


@dataclass(frozen=True, slots=True)
class Budget:
    """How known failures are tried again."""

    max_attempts: int
    delay: Callable[[int], float]
    """Seconds to wait after so many attempts."""


OUT_OF_TIME = Failed("deadline_exceeded", "the job's deadline passed before a provider was asked", retryable=False)


def too_late(claim: Claim, at: datetime) -> bool:
    """Whether asking a provider would spend money on something nobody waits for any more."""
    return claim.state == "PENDING" and claim.deadline is not None and at >= claim.deadline


def may_ask(claim: Claim, capabilities: frozenset[Capability]) -> bool:
    """Whether asking the provider cannot make a second call. An old intent may have been accepted."""
    return claim.state == "PENDING" or Capability.CLIENT_ID in capabilities


def decide(
    claim: Claim, outcome: Outcome, at: datetime, budget: Budget, capabilities: frozenset[Capability]
) -> Verdict:
    """Name what came of one question to a provider that can do `capabilities`. Same inputs, same verdict."""
    match outcome:
        case Running(provider_id, look_at):
            return Verdict(
                claim, "SUBMITTED", look_at, tuple(_submitted(claim, provider_id, at)), provider_id,
                claim.call.submitted_at or at,
            )  # fmt: skip
        case Finished(provider_id, sources):
            facts = (*_submitted(claim, provider_id, at), *_generated(claim, sources, at))
            return Verdict(claim, "SUCCEEDED", None, facts, provider_id, claim.call.submitted_at or at)
        case Failed():
            return _failed(claim, outcome, at, budget)
        case Unknown(why):
            return _lost(claim, why, at + timedelta(seconds=budget.delay(claim.call.attempt)), capabilities)
        case _:
            assert_never(outcome)


def _submitted(claim: Claim, provider_id: str, at: datetime) -> Iterator[Event]:
    if claim.state != "SUBMITTED":
        yield claim.says(GenerationSubmitted, at, provider_id=provider_id, outputs=claim.call.outputs)


def _generated(claim: Claim, sources: tuple[Any, ...], at: datetime) -> Iterator[Event]:
    """One fact per output that exists, and one final failure for those that were asked for and not made."""
    outputs = claim.call.outputs
    for index, source in zip(outputs, sources, strict=False):
        yield claim.says(MediaGenerated, at, index=index, source=source, output_format=claim.call.output_format)
    if missing := outputs[len(sources) :]:
        words = f"the provider made {len(sources)} of {len(outputs)} outputs"
        yield claim.says(GenerationFailed, at, outputs=missing, code="too_few_outputs", message=words, final=True)


def _lost(claim: Claim, why: str, again_at: datetime, capabilities: frozenset[Capability]) -> Verdict:
    """Looking again costs nothing, and so does asking under an id that the provider knows. Anything else is held."""
    if claim.state == "SUBMITTED":
        return Verdict(claim, "SUBMITTED", again_at, error=why)
    if Capability.CLIENT_ID in capabilities:
        return Verdict(claim, "INTENT", again_at, error=why)
    return Verdict(claim, "HELD", None, error=why)


def _failed(claim: Claim, failure: Failed, at: datetime, budget: Budget) -> Verdict:
    again = failure.retryable and claim.call.attempt < budget.max_attempts
    next_try = at + timedelta(seconds=budget.delay(claim.call.attempt)) if again else None
    fact = claim.says(
        GenerationFailed, at, outputs=claim.call.outputs, code=failure.code, message=failure.message,
        final=not again, next_try_at=next_try,
    )  # fmt: skip
    return Verdict(claim, "PENDING" if again else "FAILED", next_try, (fact,), error=failure.code)
