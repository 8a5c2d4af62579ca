"""Whose a provider's call is: the one that a generation has now, or one that no generation has any more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from generator_service.calls import Call
from generator_service.claim import Claim, Verdict
from generator_service.rows import call_of
from stage.database import Connection, Pool


async def remember_former(connection: Connection, verdicts: Sequence[Verdict]) -> None:
    """Keep the ids of calls that failed and are tried again: their rows forget them. A repeat adds nothing.

    Without it a failed call could be taken for a lost one of the next attempt, which would then be paid for again.
    """
    left = [
        (v.claim.provider, name, v.claim.call.generation_id, v.claim.call.attempt)
        for v in verdicts
        if v.state == "PENDING" and (name := v.provider_id or v.claim.call.provider_id) is not None
    ]
    if left:
        await connection.execute(
            """
            INSERT INTO former_calls (provider, provider_id, generation_id, attempt)
            SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::int[]) ON CONFLICT DO NOTHING
            """,
            *(list(column) for column in zip(*left, strict=True)),
        )


async def remember_duplicate(
    connection: Connection, claim: Claim, attempt: int, provider_id: str, at: datetime
) -> bool:  # fmt: skip
    """Keep a call that nobody needs, to be cancelled. False when it was kept before."""
    new = await connection.fetchval(
        """
        INSERT INTO former_calls (provider, provider_id, generation_id, attempt, cancel_due_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING true
        """,
        *(claim.provider, provider_id, claim.call.generation_id, attempt, at),
    )
    return bool(new)


async def remember_given_up(connection: Connection, claim: Claim, provider_id: str) -> None:
    """Keep a call that was given up as lost and has shown up, for a retry. A repeat adds nothing."""
    await connection.execute(
        """
        INSERT INTO former_calls (provider, provider_id, generation_id, attempt) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """,
        *(claim.provider, provider_id, claim.call.generation_id, claim.call.attempt),
    )


async def take_given_up(connection: Connection, generation_id: UUID) -> str | None:
    """The call that this retry seeks, if it was kept; it is kept no more, for it has a generation again."""
    name: str | None = await connection.fetchval(
        """
        DELETE FROM former_calls USING generations AS retry, generations AS lost
        WHERE retry.id = $1 AND lost.id = retry.seeks AND former_calls.generation_id = lost.id
            AND former_calls.attempt = lost.attempt AND former_calls.cancel_due_at IS NULL
        RETURNING former_calls.provider_id
        """,
        generation_id,
    )
    return name


async def claimed(database: Connection | Pool, provider: str, provider_ids: Sequence[str]) -> frozenset[str]:
    """Which of these ids at `provider` are calls of ours that a generation has or had."""
    rows = await database.fetch(
        """
        SELECT provider_id FROM generations WHERE provider = $1 AND provider_id = ANY($2)
        UNION SELECT provider_id FROM former_calls WHERE provider = $1 AND provider_id = ANY($2)
        """,
        provider,
        provider_ids,
    )
    return frozenset(row["provider_id"] for row in rows)


async def are_former(connection: Connection, calls: Sequence[tuple[str, str]]) -> bool:
    """Whether any of these, each by its provider and id, is a call that a generation had and left."""
    found = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM former_calls JOIN unnest($1::text[], $2::text[]) AS t (provider, provider_id)
                       USING (provider, provider_id))
        """,
        *(list(column) for column in zip(*calls, strict=True)),
    )
    return bool(found)


async def claim_duplicates(pool: Pool, limit: int, at: datetime, lease: timedelta) -> list[tuple[str, Call]]:
    """Up to `limit` duplicates that are due to be cancelled, with their providers."""
    rows = await pool.fetch(
        """
        WITH due AS MATERIALIZED (
            SELECT provider, provider_id FROM former_calls WHERE cancel_due_at <= $1
            ORDER BY cancel_due_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE former_calls AS former SET cancel_due_at = $3 FROM due
            WHERE former.provider = due.provider AND former.provider_id = due.provider_id RETURNING former.*
        )
        SELECT row.*, taken.provider_id AS duplicate FROM taken JOIN generations AS row ON row.id = taken.generation_id
        """,
        at,
        limit,
        at + lease,
    )
    return [(row["provider"], replace(call_of(row), provider_id=row["duplicate"])) for row in rows]


async def duplicate_is_over(pool: Pool, provider: str, provider_id: str) -> None:
    """It does not run any more: nothing is left to cancel."""
    await pool.execute(
        "UPDATE former_calls SET cancel_due_at = NULL WHERE provider = $1 AND provider_id = $2", provider, provider_id
    )
