"""Every SQL statement of the ledger. A batch costs the same few statements, whatever it holds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ledger_service.attempts import Attempt
from ledger_service.fold import Job, Standing
from ledger_service.outputs import Output, Trouble
from ledger_service.tables import TO_REMOVE
from stage.database import Connection

if TYPE_CHECKING:
    from stage.consume import Heard

LOADED = ("job_id", "tenant", "updated_at", "revision", "announced", "model", "num_outputs", "metadata",
          "requested_at", "requested_offset", "data_removed_at", "removed_revision", "removed_offset",
          "removal_said")  # fmt: skip
OUTPUT = tuple(column.name for column in fields(Output))
OUTPUT_VALUES = attrgetter(*OUTPUT)  # astuple copies every value deeply, which took half of the ledger's time
ATTEMPT = Attempt._fields
LONG = ("prompt", "seed", "output_format", "input", "deadline", "max_attempts")
"""What only the request says and nothing here reads: written when it is heard, null at any other time."""

JOB_COLUMNS = (
    "job_id", "tenant", "revision", "status", "started_at", "completed_at", "updated_at", "error_code",
    "error_message", "retry_count", "announced", "model", "num_outputs", "metadata", "requested_at",
    "requested_offset", "data_removed_at", "removed_revision", "removed_offset", "removal_said", *LONG,
)  # fmt: skip
OUTPUT_COLUMNS = ("job_id", "status", "phase", "cause", *OUTPUT)
FACT = ("topic", "partition", "offset", "job_id", "event_id", "occurred_at")
COPY_SECONDS = 3_600.0  # whatever a rebuild has gathered


async def load(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, Job]:
    """The jobs among `job_ids` that were heard of before. The offsets' locks keep other writers away."""
    rows = await connection.fetch(f"SELECT {', '.join(LOADED)} FROM jobs WHERE job_id = ANY($1)", job_ids)  # noqa: S608
    jobs = {row["job_id"]: Job(**dict(row)) for row in rows}
    if not jobs:
        return jobs
    for job_id, *columns in await connection.fetch(LOAD_OUTPUTS, list(jobs)):
        output = Output(*columns)
        output.trouble = Trouble(output.trouble) if output.trouble else None
        jobs[job_id].outputs[output.revision, output.index] = output
    return jobs


async def write(connection: Connection, jobs: Sequence[tuple[Job, Standing]]) -> None:
    """Bring the rows of `jobs` and their outputs up to date. Writing the same twice changes nothing."""
    if not jobs:
        return
    await connection.execute(WRITE_JOBS, [_job_row(job, now) for job, now in jobs])
    outputs = [_output_row(job.job_id, output) for job, _ in jobs for output in job.outputs.values()]
    if outputs:
        await connection.execute(WRITE_OUTPUTS, outputs)


async def add_attempts(connection: Connection, attempts: Iterable[Attempt]) -> None:
    """Join what facts say of attempts to what is known of them: least and greatest, so that order does not matter."""
    rows = list(attempts)
    if rows:
        await connection.execute(WRITE_ATTEMPTS, rows)


async def add_facts(connection: Connection, heard: Sequence["Heard"]) -> None:
    """Remember where each fact stands in the log. One that was heard before stays as it is."""
    rows = [
        (h.position.topic, h.position.partition, h.position.offset, h.event.job_id, h.event.event_id,
         h.event.occurred_at)
        for h in heard
    ]  # fmt: skip
    await connection.execute(WRITE_FACTS, rows)


async def is_empty(connection: Connection) -> bool:
    """Whether the ledger remembers no fact at all."""
    return not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM facts)")


async def copy_jobs(connection: Connection, schema: str, jobs: Iterable[tuple[Job, Standing]]) -> None:
    """Write jobs and their outputs into tables of `schema` that hold none of them, as fast as PostgreSQL takes them."""
    written = list(jobs)
    rows = [_job_row(job, now) for job, now in written]
    await _copy(connection, schema, "jobs", JOB_COLUMNS, rows)
    outputs = [_output_row(job.job_id, output) for job, _ in written for output in job.outputs.values()]
    await _copy(connection, schema, "outputs", OUTPUT_COLUMNS, outputs)


async def copy_attempts(connection: Connection, schema: str, attempts: Iterable[Attempt]) -> None:
    """The same for attempts."""
    await _copy(connection, schema, "attempts", ATTEMPT, attempts)


async def copy_facts(connection: Connection, schema: str, facts: Iterable[Sequence[Any]]) -> None:
    """The same for facts, each told as `FACT` names it."""
    await _copy(connection, schema, "facts", FACT, facts)


async def _copy(connection: Connection, schema: str, table: str, names: Iterable[str], rows: Iterable[Any]) -> None:
    await connection.copy_records_to_table(
        table, schema_name=schema, columns=list(names), records=rows, timeout=COPY_SECONDS
    )


@dataclass(frozen=True, slots=True)
class OldJob:
    """A job whose data are old enough to be removed, in every revision up to this one."""

    job_id: UUID
    tenant: str
    revision: int


async def mark_old(connection: Connection, before: Mapping[str, datetime], limit: int) -> list[OldJob]:
    """Up to `limit` jobs that were over before their tenant's time in `before`, where `*` stands for all others.

    Marks that their removal was said, so that each is returned once. Rows that another ledger holds are passed over.
    """
    told = {tenant: time for tenant, time in before.items() if tenant != "*"}
    rows = await connection.fetch(MARK_OLD, list(told), list(told.values()), before.get("*"), limit)
    return [OldJob(**dict(row)) for row in rows]


def _job_row(job: Job, now: Standing) -> tuple[Any, ...]:
    asked = job.request
    long = tuple(getattr(asked, name) for name in LONG) if asked else (None,) * len(LONG)
    return (
        job.job_id, job.tenant, job.revision, now.status, now.started_at, now.completed_at, job.updated_at,
        now.error_code, now.error_message, job.retry_count, job.announced, job.model, job.num_outputs, job.metadata,
        job.requested_at, job.requested_offset, job.data_removed_at, job.removed_revision, job.removed_offset,
        job.removal_said, *long,
    )  # fmt: skip


def _output_row(job_id: UUID, output: Output) -> tuple[Any, ...]:
    return (job_id, output.status, output.phase, output.cause, *OUTPUT_VALUES(output))


def _upsert(table: str, columns: Sequence[str], key: Sequence[str], joined: Mapping[str, str]) -> str:
    """SQL that writes an array of rows, each of `columns`. One that is there takes the new values, joined to its own
    by the expressions in `joined` where there is one.
    """
    names = ", ".join(columns)
    changes = ", ".join(f"{name} = {joined.get(name, f'EXCLUDED.{name}')}" for name in columns if name not in key)
    return f"""
        INSERT INTO {table} ({names}) SELECT {names} FROM unnest($1::written_{table}[])
        ON CONFLICT ({", ".join(key)}) DO UPDATE SET {changes}
    """  # noqa: S608 - names from this file


LOAD_OUTPUTS = f"SELECT job_id, {', '.join(OUTPUT)} FROM outputs WHERE job_id = ANY($1)"  # noqa: S608 - from this file

REMOVED = {"prompt": "''", "input": "'{}'"}
"""What is left of a request whose data were removed after it was written."""

WRITE_JOBS = _upsert(
    "jobs", JOB_COLUMNS, ["job_id"],
    {name: f"CASE WHEN EXCLUDED.prompt IS NULL THEN jobs.{name} ELSE EXCLUDED.{name} END" for name in LONG}
    | {
        name: f"""CASE WHEN EXCLUDED.removed_revision > 0 AND jobs.{name} IS NOT NULL THEN {nothing}
                       ELSE coalesce(EXCLUDED.{name}, jobs.{name}) END"""
        for name, nothing in REMOVED.items()
    }
    | {"removal_said": "greatest(jobs.removal_said, EXCLUDED.removal_said)"},  # a removal by age is said beside this
)  # fmt: skip

WRITE_OUTPUTS = _upsert("outputs", OUTPUT_COLUMNS, ["job_id", "revision", "index"], {})

MARK_OLD = f"""
    WITH RECURSIVE tenants (tenant) AS (
        (SELECT tenant FROM jobs WHERE {TO_REMOVE} ORDER BY tenant LIMIT 1)
        UNION ALL
        SELECT (SELECT jobs.tenant FROM jobs WHERE {TO_REMOVE} AND jobs.tenant > tenants.tenant
                ORDER BY jobs.tenant LIMIT 1)
        FROM tenants WHERE tenants.tenant IS NOT NULL
    ), old AS MATERIALIZED (
        SELECT locked.job_id
        FROM tenants LEFT JOIN unnest($1::text[], $2::timestamptz[]) AS told (tenant, before) USING (tenant)
        CROSS JOIN LATERAL (
            SELECT job_id FROM jobs
            WHERE {TO_REMOVE} AND jobs.tenant = tenants.tenant AND completed_at < coalesce(told.before, $3)
            ORDER BY completed_at LIMIT $4 FOR UPDATE SKIP LOCKED
        ) AS locked
        LIMIT $4
    )
    UPDATE jobs SET removal_said = revision WHERE job_id = ANY (ARRAY(SELECT job_id FROM old))
    RETURNING job_id, tenant, revision
"""  # noqa: S608 - from this file

KNOWN = {"result": "max", "provider": "max", "provider_id": "max", "cost_units": "max", "code": "max", "message": "max",
         "started_at": "min", "ended_at": "max", "next_try_at": "max"}  # fmt: skip
WRITE_ATTEMPTS = f"""
    INSERT INTO attempts ({", ".join(ATTEMPT)})
    SELECT job_id, revision, kind, subject, attempt, {", ".join(f"{join}({name})" for name, join in KNOWN.items())}
    FROM unnest($1::written_attempts[])
    GROUP BY job_id, revision, kind, subject, attempt
    ON CONFLICT (job_id, revision, kind, subject, attempt) DO UPDATE SET {
    ", ".join(
        f"{name} = {'least' if join == 'min' else 'greatest'}(attempts.{name}, EXCLUDED.{name})"
        for name, join in KNOWN.items()
    )
}
"""  # noqa: S608 - names from this file

WRITE_FACTS = """
    INSERT INTO facts (topic, partition, "offset", job_id, event_id, occurred_at)
    SELECT topic, partition, "offset", job_id, event_id, occurred_at FROM unnest($1::written_facts[])
    ON CONFLICT DO NOTHING
"""
