"""What the gateway reads: the ledger's published views, and nothing else."""

import json
from typing import Any
from uuid import UUID

import asyncpg

from schemas.events import JobRequested
from schemas.jobs import Job, Media, Status
from stage.database import Pool

JOB = """
    SELECT jobs.*, (
        SELECT json_agg(outputs ORDER BY outputs.index) FROM outputs
        WHERE outputs.job_id = jobs.job_id AND outputs.index < jobs.num_outputs
    ) AS outputs
    FROM jobs WHERE job_id = $1 AND tenant = $2
"""
MEDIA = tuple(Media.model_fields)


class Store:
    """Reads jobs."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def job(self, job_id: UUID, tenant: str) -> Job | None:
        """The job as the ledger knows it, without links; None when it does not know it or it is somebody else's."""
        row = await self._pool.fetchrow(JOB, job_id, tenant)
        return _job(row) if row else None

    async def job_and_next(self, job_id: UUID, tenant: str, partition: int) -> tuple[Job | None, int]:
        """The same, and how far the ledger has read the requests of `partition`, at one moment."""
        row = await self._pool.fetchrow(
            f"""
            SELECT job.*, (SELECT next FROM offsets WHERE topic = $3 AND partition = $4) AS next
            FROM (SELECT) AS always LEFT JOIN ({JOB}) AS job ON true
            """,  # noqa: S608 - our own statement inside
            job_id,
            tenant,
            JobRequested.topic,
            partition,
        )
        assert row is not None  # noqa: S101 - the left side always has its row
        return (_job(row) if row["job_id"] else None), row["next"] or 0


def _job(row: asyncpg.Record) -> Job:
    status, removed = Status(row["status"]), row["removed_revision"]
    media = tuple(_media(output, removed) for output in json.loads(row["outputs"]))
    return Job(
        job_id=row["job_id"], status=status, done=status.terminal, revision=row["revision"], model=row["model"],
        prompt=row["prompt"], num_outputs=row["num_outputs"], seed=row["seed"], output_format=row["output_format"],
        input=row["input"], metadata=row["metadata"], media=media,
        error_message=row["error_message"], retry_count=row["retry_count"], cost_units=row["cost_units"],
        max_attempts=row["max_attempts"], deadline=row["deadline"], created_at=row["requested_at"],
        updated_at=row["updated_at"], started_at=row["started_at"], completed_at=row["completed_at"],
        data_removed_at=row["data_removed_at"],
    )  # fmt: skip


def _media(output: dict[str, Any], removed: int) -> Media:
    """The output, `removed` being the last revision whose media are gone."""
    known = {name: output[name] for name in MEDIA if name in output}
    return Media.model_validate(known | {"removed": output["revision"] <= removed})
