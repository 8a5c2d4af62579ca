"""Every SQL statement of the uploader."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
from pydantic import TypeAdapter

from schemas.events import MediaGenerated, StagedSource, UrlSource
from schemas.wire import encode
from stage import outbox
from stage.claims import due_rows
from stage.database import Connection, Pool
from uploader_service.decide import Claim, Verdict

SOURCE: TypeAdapter[UrlSource | StagedSource] = TypeAdapter(UrlSource | StagedSource)

CLAIM = f"""
    {due_rows("uploads")}
    UPDATE uploads AS row SET attempt = row.attempt + 1, fence = row.fence + 1, due_at = $3, owner = $4
    FROM due WHERE row.id = due.id RETURNING row.*
"""  # noqa: S608 - no value of anybody is in it


class Store:
    """The uploader's rows. Nothing here decides."""

    def __init__(self, pool: Pool, source: str, owner: str) -> None:
        self._pool, self._source, self._owner = pool, source, owner

    async def take_back(self, at: datetime) -> None:
        """End the leases of this instance's former life, which is over. Called once, before the first claim."""
        await self._pool.execute(
            "UPDATE uploads SET due_at = $2 WHERE due_at IS NOT NULL AND owner = $1", self._owner, at
        )

    async def add(self, connection: Connection, outputs: Sequence[MediaGenerated], due_at: datetime) -> None:
        """Add outputs to store. One that is known already is left as it is: the first in the log wins."""
        await connection.execute(
            """
            INSERT INTO uploads (job_id, revision, index, tenant, source, state, attempt, fence, due_at)
            SELECT job_id, revision, index, tenant, source::jsonb, 'PENDING', 0, 0, $6
            FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[])
                AS new (job_id, revision, index, tenant, source)
            ON CONFLICT (job_id, revision, index) DO NOTHING
            """,
            [output.job_id for output in outputs],
            [output.revision for output in outputs],
            [output.index for output in outputs],
            [output.tenant for output in outputs],
            [output.source.model_dump_json() for output in outputs],
            due_at,
        )

    async def claim_due(self, limit: int, at: datetime, lease: timedelta) -> list[Claim]:
        """Take up to `limit` outputs that are due."""
        return [_claim(row) for row in await self._pool.fetch(CLAIM, at, limit, at + lease, self._owner)]

    async def record(self, verdicts: Sequence[Verdict]) -> int:
        """Write verdicts and say their facts, in one transaction. Returns how many counted.

        One whose claim was taken over by another worker is left out, fact included.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                """
                UPDATE uploads AS row SET state = new.state::upload_state, due_at = new.due_at, last_error = new.error
                FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::text[])
                    AS new (id, fence, state, due_at, error)
                WHERE row.id = new.id AND row.fence = new.fence RETURNING row.id
                """,
                [verdict.claim.id for verdict in verdicts],
                [verdict.claim.fence for verdict in verdicts],
                [verdict.state for verdict in verdicts],
                [verdict.due_at for verdict in verdicts],
                [verdict.error for verdict in verdicts],
            )
            ours = {row["id"] for row in rows}
            await outbox.add(connection, [encode(v.fact, source=self._source) for v in verdicts if v.claim.id in ours])
        return len(ours)


def _claim(row: asyncpg.Record) -> Claim:
    return Claim(
        id=row["id"], job_id=row["job_id"], revision=row["revision"], index=row["index"], tenant=row["tenant"],
        source=SOURCE.validate_python(row["source"]), attempt=row["attempt"], fence=row["fence"],
    )  # fmt: skip
