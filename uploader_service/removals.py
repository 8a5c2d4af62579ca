"""Every SQL statement about removed data, and about what has to be deleted from the bucket."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from schemas.events import DataRemoved
from stage.claims import due_rows
from stage.database import Connection, Pool
from uploader_service.decide import Verdict

REMOVED = """EXISTS (
    SELECT FROM removals WHERE removals.job_id = row.job_id AND removals.revision >= row.revision
)"""
"""Whether the data of the upload that is called `row` was removed."""

ROUNDS = (timedelta(), timedelta(minutes=10), timedelta(days=1))
"""When a job's outputs are deleted. An upload that is under way, or whose process is stopped for a while, may still
put one after the first time.
"""

CLAIM = f"""
    {due_rows("deletions")}
    UPDATE deletions AS row SET attempt = row.attempt + 1, fence = row.fence + 1, due_at = $3
    FROM due WHERE row.id = due.id RETURNING row.*
"""  # noqa: S608 - no value of anybody is in it


@dataclass(frozen=True, slots=True)
class Deletion:
    """What has to go: the object under `key`, or without one a job's outputs in every revision up to this one."""

    id: int
    fence: int
    attempt: int
    job_id: UUID
    revision: int
    key: str | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """What came of a deletion: done, or tried again at `again_at`."""

    deletion: Deletion
    again_at: datetime | None = None
    error: str | None = None


class Deletions:
    """The rows of what has to be deleted. Each is tried until it is done."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, limit: int, at: datetime, lease: timedelta) -> list[Deletion]:
        """Take up to `limit` deletions that are due."""
        return [_deletion(row) for row in await self._pool.fetch(CLAIM, at, limit, at + lease)]

    async def record(self, results: Sequence[Deleted]) -> None:
        """Forget what is done, and write when the rest is tried again."""
        done, again = [r for r in results if r.again_at is None], [r for r in results if r.again_at is not None]
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                """
                DELETE FROM deletions AS row USING unnest($1::bigint[], $2::bigint[]) AS done (id, fence)
                WHERE row.id = done.id AND row.fence = done.fence
                """,
                [result.deletion.id for result in done],
                [result.deletion.fence for result in done],
            )
            await connection.executemany(
                "UPDATE deletions SET due_at = $3, last_error = $4 WHERE id = $1 AND fence = $2",
                [(r.deletion.id, r.deletion.fence, r.again_at, r.error) for r in again],
            )


async def remove(connection: Connection, removals: Iterable[DataRemoved], at: datetime) -> None:
    """Remember that data was removed, for what comes later too, and have deleted what there is. A repeat does nothing.

    What is not over is due at once: whoever claims it sees that it was removed. Its spool file belongs to nobody then.
    """
    latest = {r.job_id: r for r in sorted(removals, key=lambda removal: removal.revision)}
    news = await connection.fetch(
        """
        INSERT INTO removals AS known (job_id, revision) SELECT * FROM unnest($1::uuid[], $2::int[])
        ON CONFLICT (job_id) DO UPDATE SET revision = EXCLUDED.revision WHERE known.revision < EXCLUDED.revision
        RETURNING job_id
        """,
        list(latest),
        [removal.revision for removal in latest.values()],
    )
    fresh = [latest[row["job_id"]] for row in news]
    await _delete(connection, [(r.tenant, r.job_id, r.revision, None, at + wait) for r in fresh for wait in ROUNDS])
    await connection.execute(
        f"""
        INSERT INTO deletions (tenant, job_id, revision, key, attempt, fence, due_at)
        SELECT tenant, job_id, revision, source->>'key', 0, 0, $2 FROM uploads AS row
        WHERE job_id = ANY($1) AND due_at IS NULL AND source->>'kind' = 'staged'
            AND starts_with(source->>'key', 'staged/') AND {REMOVED}
        """,  # noqa: S608 - no value of anybody is in it
        [removal.job_id for removal in fresh],
        at,
    )
    await connection.execute(
        f"""
        UPDATE uploads AS row SET
            state = CASE WHEN due_at IS NULL THEN state ELSE 'PENDING' END, media = NULL,
            source = CASE WHEN due_at IS NULL THEN 'null' ELSE source END,
            due_at = CASE WHEN due_at IS NULL THEN NULL ELSE $2::timestamptz END, fence = fence + 1, owner = NULL,
            spool_file = NULL, spooled_by = NULL, spool_until = NULL
        WHERE job_id = ANY($1) AND {REMOVED}
        """,  # noqa: S608 - no value of anybody is in it
        [removal.job_id for removal in fresh],
        at,
    )


async def delete_unwanted(connection: Connection, verdicts: Iterable[Verdict]) -> None:
    """Have deleted the staged objects that nobody needs any more, in the transaction that says why."""
    rows = ((v.claim, v.unwanted, v.claim.since) for v in verdicts if v.unwanted is not None)
    await _delete(connection, [(claim.tenant, claim.job_id, claim.revision, key, at) for claim, key, at in rows])


async def delete_late(connection: Connection, verdicts: Sequence[Verdict]) -> None:
    """Have deleted what was stored by claims that did not count any more, where its data was removed meanwhile."""
    await connection.execute(
        """
        INSERT INTO deletions (tenant, job_id, revision, key, attempt, fence, due_at)
        SELECT tenant, job_id, late.revision, key, 0, 0, due_at
        FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::timestamptz[])
            AS late (tenant, job_id, revision, key, due_at)
        JOIN removals USING (job_id) WHERE late.revision <= removals.revision
        """,
        [v.claim.tenant for v in verdicts],
        [v.claim.job_id for v in verdicts],
        [v.claim.revision for v in verdicts],
        [v.claim.media and v.claim.media.key for v in verdicts],
        [v.claim.since for v in verdicts],
    )


async def _delete(connection: Connection, rows: Sequence[tuple[str, UUID, int, str | None, datetime]]) -> None:
    await connection.executemany(
        """
        INSERT INTO deletions (tenant, job_id, revision, key, due_at, attempt, fence) VALUES ($1, $2, $3, $4, $5, 0, 0)
        """,
        rows,
    )


def _deletion(row: asyncpg.Record) -> Deletion:
    return Deletion(row["id"], row["fence"], row["attempt"], row["job_id"], row["revision"], row["key"])
