"""What `darkroom explain` reads of the ledger. Every statement for it is here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from stage.database import Pool
from stage.progress import Progress, progress


@dataclass(frozen=True, slots=True)
class KnownJob:
    """A job as facts tell it. Never what it asked for."""

    tenant: str
    status: str
    revision: int
    model: str | None
    num_outputs: int | None
    requested_at: datetime | None
    requested_offset: int | None


@dataclass(frozen=True, slots=True)
class KnownOutput:
    """The latest revision of one output, as facts tell it."""

    index: int
    revision: int
    status: str
    phase: str
    cause: str | None
    error_code: str | None
    error_message: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class LedgerSees:
    """What the ledger knows of one job: None when it has heard nothing of it."""

    job: KnownJob | None
    outputs: Sequence[KnownOutput]
    progress: Progress


async def look(pool: Pool, job_id: UUID) -> LedgerSees:
    """What the ledger knows of this job now."""
    job = await pool.fetchrow(
        """
        SELECT tenant, status::text, revision, model, num_outputs, requested_at, requested_offset
        FROM jobs WHERE job_id = $1
        """,
        job_id,
    )
    outputs = await pool.fetch(
        """
        SELECT DISTINCT ON (index) index, revision, status::text, phase::text, cause, error_code, error_message,
            CASE WHEN upload_attempts > 0 THEN upload_attempts ELSE generation_attempts END AS attempts
        FROM outputs WHERE job_id = $1 ORDER BY index, revision DESC
        """,
        job_id,
    )
    return LedgerSees(
        KnownJob(**dict(job)) if job else None,
        [KnownOutput(**dict(row)) for row in outputs],
        await progress(pool, job_id),
    )
