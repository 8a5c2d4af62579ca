"""The statements about generations that ask a provider for the very same: there, their calls look alike."""

from collections.abc import Sequence
from uuid import UUID

from stage.database import Pool


async def has_twin(pool: Pool, generation_id: UUID) -> bool:
    """Whether another generation asks its provider for the same as this one. A retry that only looks for its job's own
    lost call is none to that.
    """
    found = await pool.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM generations AS twin JOIN generations AS row ON row.id = $1 AND twin.ask = row.ask
            WHERE twin.id <> row.id AND twin.provider = row.provider
                AND NOT (row.pay_again AND twin.job_id = row.job_id)
        )
        """,
        generation_id,
    )
    return bool(found)


async def each_has_one(pool: Pool, generation_id: UUID, provider_ids: Sequence[str]) -> bool:
    """Whether these calls, which no generation has or had, are as many as the generations alike that miss theirs: then
    one of them is surely this one's. One statement, so that nobody finds its call between two looks at the tables.
    """
    found = await pool.fetchval(
        """
        SELECT cardinality($2::text[]) = count(*) AND NOT EXISTS (
            SELECT FROM former_calls WHERE provider = min(row.provider) AND provider_id = ANY($2)
        ) AND NOT EXISTS (
            SELECT FROM generations AS owner WHERE owner.provider = min(row.provider) AND owner.provider_id = ANY($2)
        )
        FROM generations AS alike JOIN generations AS row
            ON row.id = $1 AND alike.ask = row.ask AND alike.provider = row.provider
        WHERE alike.state IN ('INTENT', 'IN_DOUBT', 'HELD')
            OR (alike.state = 'FAILED' AND alike.provider_id IS NULL AND alike.last_error = 'outcome_unknown')
        """,
        generation_id,
        provider_ids,
    )
    return bool(found)
