"""Whose a provider's call is: the one that a generation has now, or one of an attempt that failed before."""

from collections.abc import Sequence

from generator_service.decide import Verdict
from stage.database import Connection, Pool


async def remember_former(connection: Connection, verdicts: Sequence[Verdict]) -> None:
    """Keep the ids of calls that failed and are tried again: their rows forget them. A repeat adds nothing.

    Without it a failed call could be taken for a lost one of the next attempt, which would then be paid for again.
    """
    left = [
        (v.claim.provider, v.claim.call.provider_id, v.claim.call.generation_id, v.claim.call.attempt)
        for v in verdicts
        if v.state == "PENDING" and v.claim.call.provider_id is not None
    ]
    if left:
        await connection.execute(
            """
            INSERT INTO former_calls (provider, provider_id, generation_id, attempt)
            SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::int[]) ON CONFLICT DO NOTHING
            """,
            *(list(column) for column in zip(*left, strict=True)),
        )


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
