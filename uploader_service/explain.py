"""What `darkroom explain` reads of the uploader. Every statement for it is here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from stage.database import Pool
from stage.progress import Progress, progress


@dataclass(frozen=True, slots=True)
class KnownUpload:
    """An output on its way into the bucket. Never where it is fetched from."""

    index: int
    revision: int
    state: str
    attempt: int
    fetch_attempts: int
    store_attempts: int
    since: datetime
    owner: str | None
    due_at: datetime | None
    spooled_by: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class UploaderSees:
    """What the uploader knows of one job."""

    uploads: Sequence[KnownUpload]
    progress: Progress


async def look(pool: Pool, job_id: UUID) -> UploaderSees:
    """What the uploader knows of this job now."""
    rows = await pool.fetch(
        """
        SELECT index, revision, state::text, attempt, fetch_attempts, store_attempts, since, owner, due_at, spooled_by,
            last_error
        FROM uploads WHERE job_id = $1 ORDER BY index, revision
        """,
        job_id,
    )
    return UploaderSees([KnownUpload(**dict(row)) for row in rows], await progress(pool, job_id))
