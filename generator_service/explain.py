"""What `darkroom explain` reads of the generator. Every statement for it is here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from stage.database import Pool
from stage.progress import Progress, progress

COUNTED = 1_000
"""Of calls that are due before another; a longer queue is not counted to its end."""


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A provider call of a plan, and where it stands. Never what it asks for."""

    id: UUID
    revision: int
    outputs: Collection[int]
    tenant: str
    provider: str
    model: str
    state: str
    attempt: int
    owner: str | None
    due_at: datetime | None
    intent_at: datetime | None
    submitted_at: datetime | None
    cancel_at: datetime | None
    deadline: datetime | None
    provider_id: str | None
    seeks: UUID | None
    last_error: str | None
    due_before: int
    """Calls of its provider that are due and were due before it; `COUNTED` and one when there are more."""


@dataclass(frozen=True, slots=True)
class PulledBrake:
    """Something that is paused, and since when."""

    kind: str
    name: str
    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class SharedAccount:
    """A provider's account as it was last left."""

    tokens: float
    blocked_until: datetime | None
    calls: int
    cost_units: int
    blocked_why: str | None = None


@dataclass(frozen=True, slots=True)
class GeneratorSees:
    """What the generator knows of one job."""

    calls: Sequence[PlannedCall]
    planned: Collection[int]
    early_retries: Collection[int]
    """Revisions that were asked for before the job itself was read."""
    brakes: Sequence[PulledBrake]
    accounts: Mapping[str, SharedAccount]
    progress: Progress


async def look(pool: Pool, job_id: UUID) -> GeneratorSees:
    """What the generator knows of this job now, and what is paused altogether."""
    calls = await pool.fetch(CALLS, job_id, COUNTED + 1)
    planned = await pool.fetch("SELECT revision FROM gates WHERE job_id = $1", job_id)
    early = await pool.fetch("SELECT revision FROM early_retries WHERE job_id = $1", job_id)
    brakes = await pool.fetch("SELECT kind, name, since, why FROM brakes ORDER BY kind")
    accounts = await pool.fetch("SELECT provider, tokens, blocked_until, calls, cost_units, blocked_why FROM accounts")
    return GeneratorSees(
        [PlannedCall(**dict(row)) for row in calls],
        [row["revision"] for row in planned],
        [row["revision"] for row in early],
        [PulledBrake(**dict(row)) for row in brakes],
        {row["provider"]: SharedAccount(*list(row)[1:]) for row in accounts},
        await progress(pool, job_id),
    )


CALLS = """
    SELECT id, revision, outputs, tenant, provider, model, state::text, attempt, owner, due_at, intent_at,
        submitted_at, cancel_at, deadline, provider_id, seeks, last_error,
        CASE WHEN state = 'PENDING' THEN (
            SELECT count(*) FROM (
                SELECT FROM generations AS other
                WHERE other.state = 'PENDING' AND other.provider = call.provider AND other.due_at < call.due_at LIMIT $2
            ) AS earlier
        ) ELSE 0 END AS due_before
    FROM generations AS call WHERE job_id = $1 ORDER BY revision, number
"""
