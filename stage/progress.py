"""How far a service is with one job's partition, for people who ask. Reads only."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from schemas.identity import partition_of
from stage.database import Pool


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one service: by topic, the offset it reads next in a job's partition, and facts of that job it has still to
    say.
    """

    following: Mapping[str, int]
    unsaid: Mapping[str, int]


async def progress(pool: Pool, job_id: UUID) -> Progress:
    """Where the service whose tables `pool` sees is with this job."""
    key = str(job_id).encode()
    read = await pool.fetch("SELECT topic, next FROM offsets WHERE partition = $1", partition_of(key))
    kept = await pool.fetch("SELECT topic, count(*) AS facts FROM outbox WHERE key = $1 GROUP BY topic", key)
    return Progress({row["topic"]: row["next"] for row in read}, {row["topic"]: row["facts"] for row in kept})
