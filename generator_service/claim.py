"""A generation in work, what becomes of it, and the rules that decide."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from generator_service.calls import Call, Failed
from schemas.events import Event, GenerationFailed, GenerationSubmitted

E = TypeVar("E", bound=Event)

ACTIVE = ("INTENT", "IN_DOUBT", "HELD")
"""States in which an attempt may have been accepted without our knowing."""

OUT_OF_TIME = Failed("deadline_exceeded", "the job's deadline passed before a provider was asked", retryable=False)
UNSERVED = Failed("provider_unavailable", "no generator that runs knows the model's provider", retryable=False)
CANCELLED = Failed("cancelled", "the job was cancelled before a provider was asked", retryable=False)
HELD_TOO_LONG = Failed(
    "outcome_unknown", "the provider's answer was lost and the call never showed up; it may have been paid for",
    retryable=False,
)  # fmt: skip


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
    max_attempts: int | None = None
    """The job's own limit; the lower of it and the policy's counts."""

    @property
    def only_sought(self) -> bool:
        """A retry that has looked for the lost call of an earlier revision, and has neither found it nor paid again."""
        return self.pay_again and self.call.provider_id is None

    def says(self, fact: type[E], at: datetime, **facts: Any) -> E:
        """A fact about this attempt."""
        return fact.say(
            self.job_id, self.tenant, at, revision=self.revision, generation=self.number,
            attempt=max(1, self.call.attempt), provider=self.provider, **facts,
        )  # fmt: skip

    def says_submitted(self, provider_id: str, at: datetime) -> GenerationSubmitted:
        """That the provider accepted this attempt."""
        return self.says(
            GenerationSubmitted, at, provider_id=provider_id, outputs=self.call.outputs, cost_units=self.cost_units
        )

    def says_failed(self, failure: Failed, at: datetime, next_try: datetime | None) -> GenerationFailed:
        """That this attempt failed; for good when there is no next try."""
        return self.says(
            GenerationFailed, at, outputs=self.call.outputs, code=failure.code, message=failure.message,
            provider_code=failure.provider_code, final=next_try is None, next_try_at=next_try,
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
    blocked_why: str | None = None
    settled: bool = False
    """Asked again although the lost call may exist: what `DOUBT_POLICY=settle` allows, and counts."""

    @property
    def never_asked(self) -> bool:
        """The provider surely did not hear of it, or did not take it: it was no attempt, and nothing of a day's cap."""
        return self.claim.state == "PENDING" and self.attempt is not None


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

    def tries_again(self, claim: Claim) -> bool:
        """Whether another attempt may follow this one: within our own limit, and the job's."""
        return claim.call.attempt < min(self.max_attempts, claim.max_attempts or self.max_attempts)
