"""Pure: what came of one try to store an output, and the fact it becomes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, assert_never
from uuid import UUID

from schemas.events import Event, MediaStored, StagedSource, UploadFailed, UrlSource

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Claim:
    """An output that this process may store until its lease ends; `fence` proves it."""

    id: int
    job_id: UUID
    revision: int
    index: int
    tenant: str
    source: UrlSource | StagedSource
    attempt: int
    fence: int

    def says(self, fact: type[E], at: datetime, **facts: Any) -> E:
        """A fact about this output."""
        return fact.say(
            self.job_id, self.tenant, at, revision=self.revision, index=self.index, attempt=self.attempt, **facts
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """The bytes are in the bucket under `key`."""

    key: str
    sha256: str
    size: int
    content_type: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NotStored:
    """They are not. `passing`: the same try may work later."""

    code: str
    message: str
    passing: bool


Outcome = Stored | NotStored


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a claim: its row's new state, and the fact that is said in the same transaction."""

    claim: Claim
    state: str
    due_at: datetime | None
    fact: Event
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """How passing faults are tried again."""

    max_attempts: int
    delay: Callable[[int], float]


def decide(claim: Claim, outcome: Outcome, at: datetime, budget: Budget) -> Verdict:
    """Name what came of one try. A source that has run out cannot come back; anything passing is tried again."""
    match outcome:
        case Stored():
            fact = claim.says(
                MediaStored, at, key=outcome.key, sha256=outcome.sha256, size=outcome.size, width=outcome.width,
                height=outcome.height, content_type=outcome.content_type, duration_ms=outcome.duration_ms,
            )  # fmt: skip
            return Verdict(claim, "STORED", None, fact)
        case NotStored(code, message, passing):
            again = passing and claim.attempt < budget.max_attempts
            next_try = at + timedelta(seconds=budget.delay(claim.attempt)) if again else None
            failed = claim.says(UploadFailed, at, code=code, message=message, final=not again, next_try_at=next_try)
            return Verdict(claim, "PENDING" if again else "FAILED", next_try, failed, error=code)
        case _:
            assert_never(outcome)
