"""The statements about outputs whose source expired before it was fetched: where they lie is asked once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from generator_service.claim import Claim
from generator_service.rows import claim_of
from schemas.events import MediaGenerated, UploadFailed
from schemas.wire import encode
from stage import outbox
from stage.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Renewal:
    """An output to ask about, beside the call that made it. `revision` is the one that stores it."""

    claim: Claim
    revision: int
    index: int
    fence: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking: where the output lies now, or when to ask again, or neither: then it is gone."""

    renewal: Renewal
    fact: MediaGenerated | None = None
    due_at: datetime | None = None


async def add(connection: Connection, expired: UploadFailed, at: datetime) -> None:
    """Ask about this output, once per revision. One that no call of ours made is nobody's to renew."""
    await connection.execute(
        """
        INSERT INTO renewals (job_id, revision, index, generation_id, asked_at, due_at, fence)
        SELECT $1, $2, $3, id, $4, $4, 0 FROM generations
        WHERE job_id = $1 AND revision <= $2 AND $3 = ANY(outputs) AND state = 'SUCCEEDED' AND provider_id IS NOT NULL
        ORDER BY revision DESC LIMIT 1
        ON CONFLICT DO NOTHING
        """,
        *(expired.job_id, expired.revision, expired.index, at),
    )


async def claim(pool: Pool, limit: int, at: datetime, lease: timedelta) -> list[Renewal]:
    """Take up to `limit` outputs that are due to be asked about."""
    rows = await pool.fetch(
        """
        WITH due AS MATERIALIZED (
            SELECT job_id, revision, index FROM renewals WHERE due_at <= $1
            ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE renewals AS row SET due_at = $3, fence = row.fence + 1 FROM due
            WHERE (row.job_id, row.revision, row.index) = (due.job_id, due.revision, due.index)
            RETURNING row.generation_id, row.revision AS asked_revision, row.index, row.asked_at,
                row.fence AS asked_fence
        )
        SELECT row.*, row.state AS state_before, taken.*
        FROM taken JOIN generations AS row ON row.id = taken.generation_id
        """,
        *(at, limit, at + lease),
    )
    return [Renewal(claim_of(r), r["asked_revision"], r["index"], r["asked_fence"], r["asked_at"]) for r in rows]


async def record(pool: Pool, answers: Sequence[Answer], source: str) -> None:
    """Write what came of it and say where outputs lie, in one transaction; a claim that was taken over is left out."""
    async with pool.acquire() as connection, connection.transaction():
        for answer in answers:
            asked = answer.renewal
            ours = await connection.fetchval(
                """
                UPDATE renewals SET due_at = $4 WHERE job_id = $1 AND revision = $2 AND index = $3 AND fence = $5
                RETURNING true
                """,
                *(asked.claim.job_id, asked.revision, asked.index, answer.due_at, asked.fence),
            )
            if ours and answer.fact is not None:
                await outbox.add(connection, [encode(answer.fact, source=source)])
