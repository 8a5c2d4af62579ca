"""Every SQL statement of the generator."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from generator_service.calls import Call
from generator_service.decide import Claim, Verdict
from generator_service.plan import Generation
from schemas.events import JobRequested
from schemas.wire import encode
from stage import outbox
from stage.claims import due_rows
from stage.database import Connection, Pool

CLAIM = f"""
    {due_rows("generations")}
    UPDATE generations AS row SET
        state = CASE WHEN row.state = 'PENDING' THEN 'INTENT' ELSE row.state END,
        attempt = row.attempt + CASE WHEN row.state = 'PENDING' THEN 1 ELSE 0 END,
        intent_at = CASE WHEN row.state = 'PENDING' THEN $1 ELSE row.intent_at END,
        provider_id = CASE WHEN row.state = 'PENDING' THEN NULL ELSE row.provider_id END,
        submitted_at = CASE WHEN row.state = 'PENDING' THEN NULL ELSE row.submitted_at END,
        fence = row.fence + 1,
        owner = $4,
        due_at = $3
    FROM due, generations AS before
    WHERE row.id = due.id AND before.id = due.id
    RETURNING row.*, before.state AS state_before
"""  # noqa: S608 - no value of anybody is in it


class Store:
    """The generator's rows. Nothing here decides."""

    def __init__(self, pool: Pool, source: str, owner: str) -> None:
        self._pool, self._source, self._owner = pool, source, owner

    async def take_back(self, repeatable: Sequence[str], at: datetime) -> None:
        """End the leases of this instance's former life, which is over. Called once, before the first claim.

        Intents are left alone unless asking their provider again is the same call (`repeatable` names those).
        """
        await self._pool.execute(
            """
            UPDATE generations SET due_at = $3
            WHERE due_at IS NOT NULL AND owner = $1
                AND (state = 'SUBMITTED' OR (state = 'INTENT' AND provider = ANY($2)))
            """,
            self._owner,
            repeatable,
            at,
        )

    async def open_gates(self, connection: Connection, requests: Sequence[JobRequested]) -> set[tuple[UUID, int]]:
        """The revisions among `requests` that nobody planned before; they are ours to plan now."""
        rows = await connection.fetch(
            """
            INSERT INTO gates (job_id, revision) SELECT * FROM unnest($1::uuid[], $2::int[])
            ON CONFLICT DO NOTHING RETURNING job_id, revision
            """,
            [request.job_id for request in requests],
            [request.revision for request in requests],
        )
        return {(row["job_id"], row["revision"]) for row in rows}

    async def add(self, connection: Connection, generations: Iterable[Generation], due_at: datetime) -> None:
        """Add planned calls, all still to make."""
        await connection.copy_records_to_table(
            "generations",
            columns=("id", "job_id", "revision", "number", "tenant", "provider", "outputs", "ask", "deadline",
                     "state", "attempt", "fence", "due_at"),
            records=[
                (g.id, g.job_id, g.revision, g.number, g.tenant, g.provider, g.outputs, g.ask, g.deadline,
                 "PENDING", 0, 0, due_at)
                for g in generations
            ],
        )  # fmt: skip

    async def claim_due(self, limit: int, at: datetime, lease: timedelta) -> list[Claim]:
        """Take up to `limit` generations that are due. What is to be called is an intent once this returns."""
        rows = await self._pool.fetch(CLAIM, at, limit, at + lease, self._owner)
        return [_claim(row) for row in rows]

    async def record(self, verdicts: Sequence[Verdict]) -> int:
        """Write verdicts and say their facts, in one transaction. Returns how many counted.

        One whose claim was taken over by another worker is left out, facts included.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                """
                UPDATE generations AS row SET
                    state = new.state::generation_state, due_at = new.due_at, last_error = new.error,
                    provider_id = coalesce(new.provider_id, row.provider_id),
                    submitted_at = coalesce(new.submitted_at, row.submitted_at)
                FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
                            $7::timestamptz[]) AS new (id, fence, state, due_at, provider_id, error, submitted_at)
                WHERE row.id = new.id AND row.fence = new.fence
                RETURNING row.id
                """,
                *_columns(verdicts),
            )
            ours = {row["id"] for row in rows}
            facts = (fact for v in verdicts if v.claim.call.generation_id in ours for fact in v.facts)
            await outbox.add(connection, [encode(fact, source=self._source) for fact in facts])
        return len(ours)

    async def call_of(self, generation_id: UUID) -> Call | None:
        """What a generation asks for, or None when there is no such generation."""
        row = await self._pool.fetchrow("SELECT * FROM generations WHERE id = $1", generation_id)
        return _call(row) if row else None


def _columns(verdicts: Sequence[Verdict]) -> tuple[list[Any], ...]:
    fields = (
        (v.claim.call.generation_id, v.claim.fence, v.state, v.due_at, v.provider_id, v.error, v.submitted_at)
        for v in verdicts
    )
    return tuple(list(column) for column in zip(*fields, strict=True))


def _claim(row: asyncpg.Record) -> Claim:
    return Claim(
        call=_call(row), job_id=row["job_id"], tenant=row["tenant"], revision=row["revision"], number=row["number"],
        provider=row["provider"], fence=row["fence"], state=row["state_before"], deadline=row["deadline"],
    )  # fmt: skip


def _call(row: asyncpg.Record) -> Call:
    return Call(
        generation_id=row["id"], attempt=row["attempt"], outputs=tuple(row["outputs"]),
        submitted_at=row["submitted_at"], provider_id=row["provider_id"], **row["ask"],
    )  # fmt: skip
