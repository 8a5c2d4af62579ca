"""Pure: what a fact says about the try that it came from.

Every column is joined by taking the least or the greatest, so the order of facts does not matter.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ledger_service.tables import Kind, Result
from schemas.events import (
    Event,
    GenerationDoubted,
    GenerationFailed,
    GenerationSubmitted,
    MediaGenerated,
    MediaStored,
    UploadFailed,
)


class Attempt(NamedTuple):
    """What one fact knows of one try; the rest is None. A tuple, since one is made of nearly every fact."""

    job_id: UUID
    revision: int
    kind: Kind
    subject: int
    attempt: int
    result: Result
    provider: str | None = None
    provider_id: str | None = None
    cost_units: int | None = None
    code: str | None = None
    message: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    next_try_at: datetime | None = None


def attempts_of(event: Event) -> Iterator[Attempt]:
    """The try that `event` tells of, if any."""
    match event:
        case GenerationSubmitted():
            yield Attempt(
                event.job_id, event.revision, Kind.GENERATION, event.generation, event.attempt, Result.RUNNING,
                provider=event.provider, provider_id=event.provider_id, cost_units=event.cost_units,
                started_at=event.occurred_at,
            )  # fmt: skip
        case GenerationFailed():
            yield Attempt(
                event.job_id, event.revision, Kind.GENERATION, event.generation, event.attempt, Result.FAILED,
                provider=event.provider, code=event.code, message=event.message, ended_at=event.occurred_at,
                next_try_at=event.next_try_at,
            )  # fmt: skip
        case GenerationDoubted():  # when it began is not known either
            yield Attempt(
                event.job_id,
                event.revision,
                Kind.GENERATION,
                event.generation,
                event.attempt,
                Result.RUNNING,
                provider=event.provider,
            )
        case MediaGenerated() if not event.renewal:  # a renewal tells of nothing that was tried
            yield Attempt(
                event.job_id, event.revision, Kind.GENERATION, event.generation, event.attempt, Result.SUCCEEDED,
                provider=event.provider, ended_at=event.occurred_at,
            )  # fmt: skip
        case MediaStored():
            yield Attempt(
                event.job_id, event.revision, Kind.UPLOAD, event.index, event.attempt, Result.SUCCEEDED,
                ended_at=event.occurred_at,
            )  # fmt: skip
        case UploadFailed():
            yield Attempt(
                event.job_id, event.revision, Kind.UPLOAD, event.index, event.attempt, Result.FAILED,
                code=event.code, message=event.message, ended_at=event.occurred_at, next_try_at=event.next_try_at,
            )  # fmt: skip
