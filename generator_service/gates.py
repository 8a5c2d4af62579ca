"""The statements about plans: gates, what is planned behind them, cancels, and retries that came too early."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from generator_service.plan import Generation
from generator_service.rows import generation_of
from schemas.events import JobRequested, RetryRequested
from stage.database import Connection, Pool


async def open_gates(
    connection: Connection, requests: Sequence[JobRequested | RetryRequested]
) -> set[tuple[UUID, int]]:
    """The revisions among `requests` that nobody planned before; they are ours to plan now."""
    rows = await connection.fetch(
        """
        INSERT INTO gates (job_id, revision) SELECT * FROM unnest($1::uuid[], $2::int[])
        ON CONFLICT DO NOTHING RETURNING job_id, revision
        """,
        [request.job_id for request in requests],
        [request.revision for request in requests],
    )
    return {(row["job_id"], row["revision"]) for row in rows}


async def add(connection: Connection, generations: Iterable[Generation], due_at: datetime) -> None:
    """Add planned calls, all still to make; one whose answer was lost before is looked for first."""
    await connection.copy_records_to_table(
        "generations",
        columns=("id", "job_id", "revision", "number", "tenant", "provider", "model", "outputs", "ask", "cost_units",
                 "deadline", "max_attempts", "state", "attempt", "polls", "fence", "due_at", "intent_at", "pay_again",
                 "seeks"),
        records=[
            (g.id, g.job_id, g.revision, g.number, g.tenant, g.provider, g.model, g.outputs, g.ask, g.cost_units,
             g.deadline, g.max_attempts, "IN_DOUBT" if g.seeks else "PENDING", 1 if g.seeks else 0, 0, 0, due_at,
             g.doubted_since, g.seeks is not None, g.seeks)
            for g in generations
        ],
    )  # fmt: skip


async def planned(connection: Connection, job_id: UUID, below: int) -> list[Generation]:
    """What was planned for a job in revisions lower than `below`, the latest last."""
    rows = await connection.fetch(
        "SELECT * FROM generations WHERE job_id = $1 AND revision < $2 ORDER BY revision, number", job_id, below
    )
    return [generation_of(row) for row in rows]


async def known(connection: Connection, retries: Sequence[RetryRequested]) -> set[UUID]:
    """The jobs among `retries` whose request was planned."""
    rows = await connection.fetch(
        "SELECT job_id FROM gates WHERE revision = 1 AND job_id = ANY($1)", [retry.job_id for retry in retries]
    )
    return {row["job_id"] for row in rows}


async def keep_early(connection: Connection, retry: RetryRequested) -> None:
    """Keep a retry whose job is not planned yet: the topics are read side by side. A repeat changes nothing."""
    await connection.execute(
        "INSERT INTO early_retries (job_id, revision, fact) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        retry.job_id,
        retry.revision,
        retry.model_dump(mode="json"),
    )


async def take_early(connection: Connection, job_ids: Sequence[UUID]) -> list[RetryRequested]:
    """The retries that waited for these jobs, the lower revisions first. They wait no more."""
    rows = await connection.fetch("DELETE FROM early_retries WHERE job_id = ANY($1) RETURNING revision, fact", job_ids)
    return [RetryRequested.model_validate(row["fact"]) for row in sorted(rows, key=lambda row: row["revision"])]


async def early_and_known(connection: Connection) -> list[UUID]:
    """Jobs that are planned although a retry waits for them: both were heard in the same moment."""
    rows = await connection.fetch(
        "SELECT job_id FROM early_retries AS early JOIN gates USING (job_id)"
        " WHERE gates.revision = 1 FOR UPDATE OF early"
    )
    return [row["job_id"] for row in rows]


async def cancel(connection: Connection, cancels: Mapping[UUID, int], at: datetime) -> None:
    """Remember that jobs are cancelled up to a revision, and mark what is planned of them."""
    await connection.execute(
        """
        INSERT INTO cancels (job_id, revision) SELECT * FROM unnest($1::uuid[], $2::int[])
        ON CONFLICT (job_id) DO UPDATE SET revision = greatest(cancels.revision, EXCLUDED.revision)
        """,
        list(cancels),
        list(cancels.values()),
    )
    await mark_cancelled(connection, list(cancels), at)


async def forget(connection: Connection, removed: Mapping[UUID, int]) -> None:
    """Blank the prompts and inputs of jobs, up to a revision. Nothing is asked for them any more: they are over."""
    await connection.execute(
        """
        UPDATE generations AS row SET ask = ask || '{"prompt": "", "input": {}}'
        FROM unnest($1::uuid[], $2::int[]) AS gone (job_id, revision)
        WHERE row.job_id = gone.job_id AND row.revision <= gone.revision AND due_at IS NULL
        """,
        list(removed),
        list(removed.values()),
    )


async def mark_cancelled(connection: Connection, job_ids: Sequence[UUID], at: datetime) -> None:
    """Mark what is planned of jobs that were cancelled, before or after they were requested."""
    await connection.execute(
        """
        UPDATE generations AS row SET cancel_at = $2, deadline = least(deadline, $2),
            due_at = CASE WHEN state = 'SUBMITTED' THEN least(due_at, $2) ELSE due_at END
        FROM cancels WHERE row.job_id = ANY($1) AND cancels.job_id = row.job_id
            AND row.revision <= cancels.revision AND cancel_at IS NULL AND due_at IS NOT NULL
        """,
        job_ids,
        at,
    )


async def providers_at_work(pool: Pool) -> dict[str, int]:
    """The providers of calls that are not over, and how many each has."""
    rows = await pool.fetch(
        "SELECT provider, count(*) AS calls FROM generations WHERE due_at IS NOT NULL GROUP BY provider"
    )
    return {row["provider"]: row["calls"] for row in rows}
