"""What the gateway reads: the ledger's published views, and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from gateway.gathering import Gathered
from gateway.waiting import Marker
from schemas.events import JobRequested
from schemas.jobs import Status
from stage.database import Pool, within

# What was asked for comes as text: two rows are then equal only when they show the same to the last character, where
# Python holds 1, 1.0 and true for equal.
JOBS_BY_ID = """
    SELECT job_id, tenant, revision, status, model, prompt, num_outputs, seed, output_format, input::text,
           metadata::text, deadline, requested_at, started_at, completed_at, updated_at, error_message, retry_count,
           cost_units, max_attempts, data_removed_at, removed_revision, (
        SELECT json_agg(outputs ORDER BY outputs.index) FROM outputs
        WHERE outputs.job_id = jobs.job_id AND outputs.index < jobs.num_outputs
    ) AS outputs
    FROM jobs WHERE job_id = ANY($1) AND tenant = ANY($2)
"""
Row = asyncpg.Record
"""What `JOBS_BY_ID` found: all that is shown of a job, so that equal rows are shown alike."""

FACTS = """
    SELECT * FROM (
        SELECT topic, partition, "offset", event_id, occurred_at,
               row_number() OVER (PARTITION BY event_id, topic ORDER BY partition, "offset") > 1 AS superseded
        FROM facts WHERE job_id = $1
    ) AS known
    WHERE (occurred_at, topic, partition, "offset") > ($2, $3, $4, $5)
    ORDER BY occurred_at, topic, partition, "offset" LIMIT $6
"""
ATTEMPTS = """
    SELECT revision, kind, subject, attempt, result, provider, provider_id, cost_units, code, message, started_at,
           ended_at, next_try_at
    FROM attempts WHERE job_id = $1 ORDER BY revision DESC, attempt DESC, kind, subject LIMIT $2
"""
REQUEST = """
    SELECT model, prompt, num_outputs, seed, output_format, input, metadata, deadline, max_attempts, data_removed_at
    FROM jobs WHERE job_id = $1 AND tenant = $2
"""
MARKERS = "SELECT job_id, status, revision, updated_at FROM jobs WHERE job_id = ANY($1)"
MADE = """
    SELECT index FROM outputs WHERE job_id = $1 AND (
        generated_at IS NOT NULL OR EXISTS (
            SELECT FROM attempts WHERE attempts.job_id = $1 AND attempts.revision = outputs.revision
                AND attempts.kind = 'UPLOAD' AND attempts.subject = outputs.index
        )
    )
"""
SUMMARY = """
    job_id, status, revision, model, num_outputs, metadata, error_message, retry_count, requested_at, updated_at,
    started_at, completed_at, data_removed_at
"""


class FactPlace(NamedTuple):
    """Where a fact stands among the others of its job."""

    occurred_at: datetime
    topic: str
    partition: int
    offset: int


FIRST = FactPlace(datetime(1970, 1, 1, tzinfo=UTC), "", 0, -1)
"""Before every fact."""


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact that the ledger has heard, and where the log holds it."""

    place: FactPlace
    event_id: UUID
    superseded: bool = False
    """An earlier record of the log says the same fact, and counts instead of this one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of a tenant's jobs are listed, and behind which one the list goes on: its time and its id."""

    status: Status | None = None
    model: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    before: datetime | None = None
    after: tuple[datetime, UUID] | None = None


PATIENCE = 5.0
"""Seconds that a caller waits for PostgreSQL, a connection to it included, before it counts as away."""


class Store:
    """Reads jobs. Nobody waits for `job` longer than `PATIENCE`, nor for a list or a history; what else is read by id
    (`job_and_next`, `request`, `markers`) takes as long as its caller lets it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._gathered = Gathered(self._jobs_by_id, PATIENCE)

    async def job(self, job_id: UUID, tenant: str) -> Row | None:
        """The job as the ledger knows it; None when it does not know it or it is somebody else's."""
        return await self._gathered.find((job_id, tenant))

    async def _jobs_by_id(self, asked: list[tuple[UUID, str]]) -> dict[tuple[UUID, str], Row]:
        job_ids, tenants = zip(*asked, strict=True)
        rows = await self._pool.fetch(JOBS_BY_ID, job_ids, tuple(set(tenants)))
        return {(row["job_id"], row["tenant"]): row for row in rows}

    async def job_and_next(self, job_id: UUID, tenant: str, partition: int) -> tuple[Row | None, int]:
        """The same, and how far the ledger has read the requests of `partition`, at one moment."""
        row = await self._pool.fetchrow(
            f"""
            SELECT job.*, (SELECT next FROM offsets WHERE topic = $3 AND partition = $4) AS next
            FROM (SELECT) AS always LEFT JOIN ({JOBS_BY_ID}) AS job ON true
            """,  # noqa: S608 - our own statement inside
            [job_id],
            [tenant],
            JobRequested.topic,
            partition,
        )
        assert row is not None  # noqa: S101 - the left side always has its row
        return (row if row["job_id"] else None), row["next"] or 0

    async def request(self, job_id: UUID, tenant: str) -> Mapping[str, Any] | None:
        """What a job's request says, as the ledger knows it; None when it does not."""
        row = await self._pool.fetchrow(REQUEST, job_id, tenant)
        return dict(row) if row else None

    async def markers(self, job_ids: Iterable[UUID]) -> dict[UUID, Marker]:
        """Where each of these jobs stands; those that the ledger does not know are left out. Whose they are is not
        asked: whoever waits for a job has been shown it.
        """
        rows = await self._pool.fetch(MARKERS, list(job_ids))
        return {row["job_id"]: Marker(Status(row["status"]), row["revision"], row["updated_at"]) for row in rows}

    async def jobs(self, tenant: str, wanted: Wanted, limit: int) -> list[asyncpg.Record]:
        """Up to `limit` of the tenant's jobs, newest first: what `SUMMARY` names."""
        return await within(PATIENCE, self._list(*list_of_jobs(tenant, wanted, limit)))

    async def _list(self, sql: str, arguments: list[Any]) -> list[asyncpg.Record]:
        async with self._pool.acquire() as connection:
            # Prepared for this call alone: a plan that is kept would not look at what metadata are asked for, and
            # read a tenant's every job where few have them.
            statement = await connection.prepare(sql)
            return list(await statement.fetch(*arguments))

    async def facts(self, job_id: UUID, after: FactPlace, limit: int) -> list[KnownFact]:
        """Up to `limit` facts of a job behind `after`, by the time when they were said."""
        rows = await within(PATIENCE, self._pool.fetch(FACTS, job_id, *after, limit))
        return [
            KnownFact(
                FactPlace(row["occurred_at"], row["topic"], row["partition"], row["offset"]), row["event_id"],
                row["superseded"],
            )
            for row in rows
        ]  # fmt: skip

    async def attempts(self, job_id: UUID, limit: int) -> list[asyncpg.Record]:
        """Up to `limit` attempts of a job, those of the latest revision and the highest numbers first."""
        return list(await within(PATIENCE, self._pool.fetch(ATTEMPTS, job_id, limit)))

    async def made_outputs(self, job_id: UUID) -> frozenset[int]:
        """The outputs of a job that exist, as far as their latest revision has seen: generated, or tried to store."""
        rows = await within(PATIENCE, self._pool.fetch(MADE, job_id))
        return frozenset(row["index"] for row in rows)

    async def removed_revision(self, job_id: UUID) -> int:
        """The last revision of a job whose data were removed; 0 when none were."""
        asked = self._pool.fetchval("SELECT removed_revision FROM jobs WHERE job_id = $1", job_id)
        found: int | None = await within(PATIENCE, asked)
        return found or 0


def list_of_jobs(tenant: str, wanted: Wanted, limit: int) -> tuple[str, list[Any]]:
    """SQL for up to `limit` of a tenant's jobs, newest first, and its arguments.

    Only what is asked for is a condition, so that each list is read in the order of an index.
    """
    asked = (
        ("state = {}", (wanted.status,)),
        ("model = {}", (wanted.model,)),
        ("metadata @> {} AND metadata <> '{{}}'", (wanted.metadata or None,)),
        ("requested_at >= {}", (wanted.since,)),
        ("requested_at < {}", (wanted.before,)),
        ("(requested_at, job_id) < ({}, {})", wanted.after or (None,)),
    )
    arguments: list[Any] = [tenant]
    conditions = ["tenant = $1"]
    for condition, values in asked:
        if values[0] is not None:
            places = [f"${len(arguments) + number}" for number in range(1, len(values) + 1)]
            conditions.append(condition.format(*places))
            arguments += values
    return (
        f"SELECT {SUMMARY} FROM jobs WHERE {' AND '.join(conditions)} "  # noqa: S608 - conditions from above
        f"ORDER BY requested_at DESC, job_id DESC LIMIT ${len(arguments) + 1}",
        [*arguments, limit],
    )
