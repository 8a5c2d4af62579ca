"""A ledger that has seen many jobs: rows by the million, written by PostgreSQL itself."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

from stage.database import Pool

TENANT = "dev"
FIRST_AT = datetime(2025, 1, 1, tzinfo=UTC)
"""When the first job was requested; each later one a second after the one before."""
FACTS_OF_A_JOB = 6
TABLES = ("jobs", "outputs", "attempts", "facts")


def job_number(number: int) -> UUID:
    """The id of a job, counted from 1. Ids lie scattered in their index, as those of real jobs do."""
    return UUID(bytes=hashlib.md5(str(number).encode(), usedforsecurity=False).digest())


def stored_jobs(jobs: int) -> list[int]:
    """Of so many jobs, the numbers of those that are `TENANT`'s and whose outputs are stored."""
    return [number for number in range(1, jobs - 199) if number % 10 != 9 and number % 1_000]


async def fill(pool: Pool, jobs: int, *, whole: int, facts: int = 0, outputs: int = 1) -> None:
    """Make a ledger hold `jobs` jobs and nothing else, the first `whole` of them with `outputs` outputs and their
    attempts, the first `facts` with facts.

    One of ten is another tenant's, one of a thousand failed, one of two thousand is of a rare model, the last two
    hundred wait; each has an order number of its own in its metadata.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"TRUNCATE {', '.join(TABLES)}")
        # Indexes are made at the end: to keep them up to date row by row takes twice as long.
        indexes = await connection.fetch(INDEXES, TABLES)
        for index in indexes:
            await connection.execute(index["drop"])
        await connection.execute(JOBS, jobs, TENANT, FIRST_AT, outputs, timeout=600)
        for statement in (OUTPUTS, ATTEMPTS):
            await connection.execute(statement, whole, outputs, FIRST_AT, timeout=600)
        await connection.execute(FACTS, facts, FACTS_OF_A_JOB, FIRST_AT, timeout=600)
        for index in indexes:
            await connection.execute(index["make"], timeout=600)
    for table in TABLES:
        await pool.execute(f"VACUUM ANALYZE {table}", timeout=600)


INDEXES = """
    SELECT
        CASE WHEN key.conname IS NULL THEN format('DROP INDEX %I', name.relname)
             ELSE format('ALTER TABLE %I DROP CONSTRAINT %I', of.relname, key.conname) END AS drop,
        CASE WHEN key.conname IS NULL THEN pg_get_indexdef(name.oid)
             ELSE format('ALTER TABLE %I ADD CONSTRAINT %I %s', of.relname, key.conname, pg_get_constraintdef(key.oid))
             END AS make
    FROM pg_index AS index JOIN pg_class AS name ON name.oid = index.indexrelid
    JOIN pg_class AS of ON of.oid = index.indrelid
    LEFT JOIN pg_constraint AS key ON key.conindid = name.oid
    WHERE of.relnamespace = current_schema::regnamespace AND of.relname = ANY($1)
"""

JOBS = """
    INSERT INTO jobs (job_id, tenant, revision, status, model, prompt, num_outputs, input, metadata, requested_at,
                      requested_offset, started_at, completed_at, updated_at, retry_count, announced, error_code)
    SELECT md5(n::text)::uuid, CASE WHEN n % 10 = 9 THEN 'acme' ELSE $2 END, 1,
        (CASE WHEN n > $1 - 200 THEN 'PENDING' WHEN n % 1000 = 0 THEN 'FAILED' ELSE 'COMPLETED' END)::job_status,
        CASE WHEN n % 2000 = 7 THEN 'acme/rare' ELSE 'fake/painter' END, 'a city', $4::int, '{}',
        jsonb_build_object('order', 'A-' || n, 'shop', 'web'), at, n, at,
        CASE WHEN n <= $1 - 200 THEN at + interval '2 seconds' END, at + interval '2 seconds', 0,
        (n <= $1 - 200)::int, CASE WHEN n % 1000 = 0 THEN 'provider_failed' END
    FROM (SELECT n, $3::timestamptz + n * interval '1 second' AS at FROM generate_series(1, $1::int) AS n) AS numbered
"""

OUTPUTS = """
    INSERT INTO outputs (job_id, revision, index, status, phase, generation, generation_attempts, upload_attempts,
                         submitted_at, generated_at, s3_key, sha256, size, content_type, stored_at)
    SELECT job_id, 1, i, 'COMPLETED', 'done', 0, 1, 1, at, at, 'jobs/' || job_id || '/1/' || i || '.jpg',
        repeat('0', 64), 60000, 'image/jpeg', at
    FROM (SELECT md5(n::text)::uuid AS job_id, $3::timestamptz + n * interval '1 second' AS at
          FROM generate_series(1, $1::int) AS n) AS numbered
    CROSS JOIN generate_series(0, $2::int - 1) AS i
"""

ATTEMPTS = """
    INSERT INTO attempts (job_id, revision, kind, subject, attempt, result, provider, provider_id, cost_units,
                          started_at, ended_at)
    SELECT job_id, 1, kind::attempt_kind, i, 1, 'SUCCEEDED', 'fake', 'fake-' || i, 1, at, at
    FROM (SELECT md5(n::text)::uuid AS job_id, $3::timestamptz + n * interval '1 second' AS at
          FROM generate_series(1, $1::int) AS n) AS numbered
    CROSS JOIN generate_series(0, $2::int - 1) AS i CROSS JOIN (VALUES ('GENERATION'), ('UPLOAD')) AS kinds (kind)
"""

FACTS = """
    INSERT INTO facts (topic, partition, "offset", job_id, event_id, occurred_at)
    SELECT 'media.stored', 0, n * $2::bigint + i, md5(n::text)::uuid, md5(n || '/' || i)::uuid,
        $3::timestamptz + n * interval '1 second'
    FROM generate_series(1, $1::int) AS n CROSS JOIN generate_series(0, $2::int - 1) AS i
"""
