"""What operators do by hand: settle calls that are held, and pull brakes. Every statement for it is here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from generator_service.calls import Call, Failed, Running
from generator_service.claim import Claim, Policy, Verdict
from generator_service.decide import decide
from generator_service.doubt import give_up
from generator_service.former_calls import claimed
from generator_service.rows import call_of, claim_of
from generator_service.store import Store
from stage.database import Pool

GIVEN_UP = Failed(
    "outcome_unknown", "the provider's answer was lost, and an operator gave the call up; it may have been paid for",
    retryable=False,
)  # fmt: skip
AN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")  # of any provider; a URL of its web pages is none
NOTHING_IS_TRIED = Policy(max_attempts=1, delay=lambda _: 0.0)


class Done(StrEnum):
    """What came of it."""

    DONE = "done"
    ALREADY = "already"
    """It was so before: a repeat."""
    NO_SUCH = "no_such"
    """There is no such generation."""
    NOT_HELD = "not_held"
    TAKEN = "taken"
    """The provider's id belongs to another call of ours."""
    NO_ID = "no_id"
    """That cannot be an id. To look for it would end the call as not found, and what was paid for with it."""
    UNKNOWN_THERE = "unknown_there"
    """The provider has no call of that id."""
    ANOTHERS = "anothers"
    """What the provider has under that id asks for something else, or is older than the held call."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer to an operator, with the state in which the generation is now."""

    done: Done
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A held call that may be given an id: what it asked for, and whom."""

    provider: str
    call: Call


@dataclass(frozen=True, slots=True)
class Held:
    """A call that may have been paid for and that nobody can find. Never what it asked for."""

    generation_id: UUID
    job_id: UUID
    tenant: str
    revision: int
    outputs: Sequence[int]
    provider: str
    model: str
    attempt: int
    cost_units: int
    asked_at: datetime | None
    given_up_at: datetime
    why: str | None


@dataclass(frozen=True, slots=True)
class Brake:
    """Something that is paused."""

    kind: str
    name: str
    since: datetime
    why: str
    waiting: int
    """Calls that would be due without it."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What was asked of a provider's account today, in UTC."""

    provider: str
    calls: int
    cost_units: int
    blocked_until: datetime | None
    blocked_why: str | None


class Operations:
    """Changes by hand, each with one winner and harmless when repeated. Facts leave through a generator's outbox."""

    def __init__(self, pool: Pool, operator: str) -> None:
        self._pool, self._store = pool, Store(pool, "operator", operator, {})

    async def held(self) -> list[Held]:
        """The calls that are held, the oldest first."""
        rows = await self._pool.fetch(
            """
            SELECT id AS generation_id, job_id, tenant, revision, outputs, provider, model, attempt, cost_units,
                   intent_at AS asked_at, due_at AS given_up_at, last_error AS why
            FROM generations WHERE state = 'HELD' ORDER BY intent_at, id
            """
        )
        return [Held(**dict(row)) for row in rows]

    async def adoptable(self, generation_id: UUID, provider_id: str) -> Lost | Settled:
        """The held call, when it may be given this id as far as our own books know; otherwise what stands against it.
        Changes nothing.
        """
        row = await self._pool.fetchrow("SELECT * FROM generations WHERE id = $1", generation_id)
        if row is None:
            return Settled(Done.NO_SUCH)
        if row["provider_id"] == provider_id:
            return Settled(Done.ALREADY, row["state"])
        if not AN_ID.fullmatch(provider_id):
            return Settled(Done.NO_ID, row["state"])
        if await claimed(self._pool, row["provider"], [provider_id]):
            return Settled(Done.TAKEN, row["state"])
        return Lost(row["provider"], call_of(row)) if row["state"] == "HELD" else Settled(Done.NOT_HELD, row["state"])

    async def adopt(self, generation_id: UUID, provider_id: str, at: datetime) -> Settled:
        """Say which call at the provider the held one is: it is polled from now on, and not paid for again.

        Nobody asks the provider here whether it has such a call: `adopt_check` knows what stands against it.
        """
        lost = await self.adoptable(generation_id, provider_id)
        if isinstance(lost, Settled):
            return lost
        claim = await self._claim(generation_id)
        if claim is None:
            return await self._came_late(generation_id, provider_id, Done.NOT_HELD)
        verdict = decide(claim, Running(provider_id, look_at=at), at, NOTHING_IS_TRIED, frozenset())
        return await self._settle(verdict, Done.TAKEN)

    async def give_up(self, generation_id: UUID, at: datetime) -> Settled:
        """Fail the held call as `outcome_unknown`: nothing more is looked for, unless the job is retried."""
        row = await self._pool.fetchrow("SELECT state::text, last_error FROM generations WHERE id = $1", generation_id)
        if row is None:
            return Settled(Done.NO_SUCH)
        if (row["state"], row["last_error"]) == ("FAILED", GIVEN_UP.code):
            return Settled(Done.ALREADY, row["state"])
        claim = await self._claim(generation_id)
        if claim is None:
            return await self._came_late(generation_id, None, Done.NOT_HELD)
        return await self._settle(give_up(claim, GIVEN_UP, at), Done.NOT_HELD)

    async def _claim(self, generation_id: UUID) -> Claim | None:
        """Take the held call from whoever works on it, so that only our verdict counts. None when it is not held."""
        row = await self._pool.fetchrow(
            "UPDATE generations SET fence = fence + 1 WHERE id = $1 AND state = 'HELD' "
            "RETURNING *, state AS state_before",
            generation_id,
        )
        return claim_of(row) if row else None

    async def _settle(self, verdict: Verdict, otherwise: Done) -> Settled:
        """Record it, unless a callback or another operator came between."""
        if await self._store.record([verdict]):
            return Settled(Done.DONE, verdict.state)
        return await self._came_late(verdict.claim.call.generation_id, verdict.provider_id, otherwise)

    async def _came_late(self, generation_id: UUID, provider_id: str | None, otherwise: Done) -> Settled:
        """How it stands instead. A callback that named the very call that was to be adopted is as good."""
        row = await self._pool.fetchrow("SELECT state::text, provider_id FROM generations WHERE id = $1", generation_id)
        state, name = (row["state"], row["provider_id"]) if row else (None, None)
        if provider_id is not None and name == provider_id:
            return Settled(Done.ALREADY, state)
        return Settled(otherwise if state == "HELD" else Done.NOT_HELD, state)

    async def pause(self, kind: str, name: str, why: str, at: datetime) -> bool:
        """Make no more calls for this provider, model or tenant; what runs goes on. False when it was paused before:
        the new reason stands, if there is one.
        """
        new = await self._pool.fetchval(
            """
            INSERT INTO brakes (kind, name, since, why) VALUES ($1, $2, $3, $4)
            ON CONFLICT (kind, name) DO UPDATE SET why = coalesce(nullif(EXCLUDED.why, ''), brakes.why)
            RETURNING xmax = 0
            """,
            kind,
            name,
            at,
            why,
        )
        return bool(new)

    async def resume(self, kind: str, name: str) -> bool:
        """Let its calls go on. False when it was not paused."""
        gone = await self._pool.fetchval("DELETE FROM brakes WHERE kind = $1 AND name = $2 RETURNING true", kind, name)
        return bool(gone)

    async def brakes(self) -> list[Brake]:
        """What is paused, the oldest first."""
        rows = await self._pool.fetch(
            """
            SELECT kind, name, since, why, (
                SELECT count(*) FROM generations
                WHERE state = 'PENDING' AND CASE kind WHEN 'provider' THEN provider WHEN 'model' THEN model
                                                      ELSE tenant END = brakes.name
            ) AS waiting
            FROM brakes ORDER BY since, kind, name
            """
        )
        return [Brake(**dict(row)) for row in rows]

    async def spent(self, at: datetime) -> list[Spent]:
        """What was asked of each provider's account on this day."""
        rows = await self._pool.fetch(
            """
            SELECT provider, CASE WHEN day = $1 THEN calls ELSE 0 END AS calls,
                   CASE WHEN day = $1 THEN cost_units ELSE 0 END AS cost_units,
                   CASE WHEN blocked_until > $2 THEN blocked_until END AS blocked_until,
                   CASE WHEN blocked_until > $2 THEN blocked_why END AS blocked_why
            FROM accounts ORDER BY provider
            """,
            at.date(),
            at,
        )
        return [Spent(**dict(row)) for row in rows]

    async def ours(self, provider: str, provider_ids: Sequence[str]) -> frozenset[str]:
        """Which of these calls at the provider we submitted, as far as we know."""
        return await claimed(self._pool, provider, provider_ids)

    async def submitted(self, provider: str, since: datetime, until: datetime) -> int:
        """How many of our calls `provider` accepted in that time, those that were tried again left out."""
        count = await self._pool.fetchval(
            """
            SELECT count(*) FROM generations
            WHERE provider = $1 AND provider_id IS NOT NULL AND submitted_at BETWEEN $2 AND $3
            """,
            provider,
            since,
            until,
        )
        return int(count)
