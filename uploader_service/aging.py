"""Every SQL statement about what time does to uploads: sources that run out, silent owners, files nobody needs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from stage.database import Pool
from uploader_service.spool import output_of


@dataclass(frozen=True, slots=True)
class RunningOut:
    """An output that is not fetched while its source has little time left."""

    job_id: UUID
    revision: int
    index: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FileStanding:
    """What the rows say of a spool file: `named` by one; `over`: its output needs no bytes, None when it is unknown."""

    file: str
    named: bool
    over: bool | None


class Aging:
    """The uploader's rows as they grow old, seen by one instance."""

    def __init__(self, pool: Pool, owner: str) -> None:
        self._pool, self._owner = pool, owner

    async def running_out(self, before: datetime) -> list[RunningOut]:
        """The outputs not fetched whose source expires before then, each told of once."""
        rows = await self._pool.fetch(
            """
            UPDATE uploads SET warned = true
            WHERE due_at IS NOT NULL AND spooled_by IS NULL AND state = 'PENDING' AND fetch_by < $1 AND NOT warned
                AND source->>'expires_at' IS NOT NULL
            RETURNING job_id, revision, index, fetch_by
            """,
            before,
        )
        return [RunningOut(row["job_id"], row["revision"], row["index"], row["fetch_by"]) for row in rows]

    async def take_over(self, at: datetime) -> int:
        """Have fetched again what lies in the spools of others whose lease is over. Returns how many outputs."""
        rows = await self._pool.fetch(
            """
            UPDATE uploads SET state = 'PENDING', spooled_by = NULL, spool_file = NULL, spool_until = NULL,
                media = NULL, fence = fence + 1, owner = NULL, due_at = $2, since = $2
            WHERE spooled_by <> $1 AND spool_until <= $2 AND state = 'SPOOLED' RETURNING id
            """,
            self._owner,
            at,
        )
        return len(rows)

    async def spooled(self) -> int:
        """How many outputs wait in this instance's spool."""
        found: int = await self._pool.fetchval(
            "SELECT count(*) FROM uploads WHERE spooled_by = $1 AND state = 'SPOOLED'", self._owner
        )
        return found

    async def forget_files(self, failed_before: datetime) -> None:
        """Give up the files of outputs that failed before then and were not retried since."""
        await self._pool.execute(
            """
            UPDATE uploads SET spooled_by = NULL, spool_file = NULL
            WHERE spooled_by = $1 AND state = 'FAILED' AND since < $2
            """,
            self._owner,
            failed_before,
        )

    async def standing(self, files: Collection[str]) -> list[FileStanding]:
        """What the rows say of these files of ours. Names that tell no output are left out."""
        told = [(file, output) for file in files if (output := output_of(file))]
        rows = await self._pool.fetch(
            """
            WITH ours AS MATERIALIZED (SELECT DISTINCT spool_file AS file FROM uploads WHERE spooled_by = $1)
            SELECT file, ours.file IS NOT NULL AS named, row.id IS NULL AS unknown,
                row.due_at IS NULL OR row.spooled_by IS NOT NULL AS over
            FROM unnest($2::text[], $3::uuid[], $4::int[], $5::int[]) AS there (file, job_id, revision, index)
            LEFT JOIN ours USING (file) LEFT JOIN uploads AS row USING (job_id, revision, index)
            """,
            self._owner,
            [file for file, _ in told],
            [job_id for _, (job_id, _, _) in told],
            [revision for _, (_, revision, _) in told],
            [index for _, (_, _, index) in told],
        )
        return [FileStanding(row["file"], row["named"], None if row["unknown"] else row["over"]) for row in rows]
