"""The statements about limits: buckets that all replicas share, and how many jobs a tenant has waiting."""

from uuid import UUID

import asyncpg

from gateway.meter import Lease
from stage.database import PASSING, Pool, within

PATIENCE = 0.5  # seconds for a connection and an answer: a database slower than this counts as away
NO_ANSWER = (*PASSING, asyncpg.PostgresError)
"""What counts as no answer: any complaint of PostgreSQL. Limits only hold back, so nobody is refused for one."""

FILLED = """
    least($2::float8, tokens + $2::float8 / 60 * greatest(0, extract(epoch FROM now() - filled_at)::float8))
"""
"""What a bucket of $2 requests a minute holds now, at most one minute's worth. A clock that goes back fills nothing."""

# The row is locked before it is read: replicas that ask at the same moment take turns.
LEASE = f"""
    WITH bucket AS MATERIALIZED (
        SELECT name, {FILLED} AS tokens FROM gateway.buckets WHERE name = $1 FOR UPDATE
    )
    UPDATE gateway.buckets SET
        tokens = bucket.tokens - least($3::float8, floor(bucket.tokens)), filled_at = greatest(filled_at, now())
    FROM bucket WHERE buckets.name = bucket.name
    RETURNING least($3::float8, floor(bucket.tokens))::bigint AS given, buckets.tokens AS left
"""  # noqa: S608 - no value of anybody is in it
NEW_BUCKET = """
    INSERT INTO gateway.buckets (name, tokens, filled_at) VALUES ($1, $2, now()) ON CONFLICT DO NOTHING
"""
GIVE_BACK = f"""
    UPDATE gateway.buckets SET tokens = least($2::float8, {FILLED} + $3::float8), filled_at = greatest(filled_at, now())
    WHERE name = $1
"""  # noqa: S608 - as above

WAITING = """
    SELECT count(*) FROM (
        SELECT FROM jobs WHERE tenant = $1 AND state IN ('PENDING', 'PROCESSING') LIMIT $2
    ) AS waiting
"""
KNOWS = "SELECT EXISTS (SELECT FROM jobs WHERE job_id = $1 AND tenant = $2)"


class LimitStore:
    """Reads and writes them, waiting for PostgreSQL no longer than `PATIENCE`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def lease(self, name: str, per_minute: int, wanted: int) -> Lease:
        """Take up to `wanted` tokens out of a bucket. One that is new is full."""
        return await within(PATIENCE, self._lease(name, per_minute, wanted))

    async def _lease(self, name: str, per_minute: int, wanted: int) -> Lease:
        while True:
            row = await self._pool.fetchrow(LEASE, name, float(per_minute), float(wanted))
            if row is not None:
                return Lease(row["given"], row["left"])
            await self._pool.execute(NEW_BUCKET, name, float(per_minute))

    async def give_back(self, name: str, per_minute: int, tokens: int) -> None:
        """Put tokens back that nobody used. Not to be repeated: an answer that was lost may have been a yes."""
        await within(PATIENCE, self._pool.execute(GIVE_BACK, name, float(per_minute), float(tokens)))

    async def waiting(self, tenant: str, most: int) -> int:
        """How many jobs a tenant has that the ledger knows and that are not over, counted up to `most`."""
        found: int = await within(PATIENCE, self._pool.fetchval(WAITING, tenant, most))
        return found

    async def knows(self, job_id: UUID, tenant: str) -> bool:
        """Whether the ledger has this job of this tenant."""
        found: bool = await within(PATIENCE, self._pool.fetchval(KNOWS, job_id, tenant))
        return found
