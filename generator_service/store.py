"""The statements about generations in work: claims, and what comes of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from generator_service.accounts import brakes, lock_account, write_account
from generator_service.adoption import Meaning, hear_of, take_up
from generator_service.allowance import Limits, allowed, spent
from generator_service.calls import Call
from generator_service.claim import Claim, Verdict
from generator_service.former_calls import claimed
from generator_service.rows import call_of, claim_of
from generator_service.tenant_caps import NO_CAPS, ROOM, UNCAPPED, Caps, turns
from generator_service.twins import each_has_one, has_twin
from generator_service.verdicts import FormerCallError, write
from schemas.events import Event
from schemas.wire import encode
from stage import outbox
from stage.claims import due_rows
from stage.database import Connection, Pool
from stage.telemetry import get_logger

log = get_logger(__name__)

TO_MAKE = """
    state = 'PENDING' AND provider = $5 AND model <> ALL($6) AND tenant <> ALL($7)
    AND cancel_at IS NULL AND (deadline IS NULL OR deadline > $1)
"""
CLAIM_TO_MAKE = f"""
    {due_rows("generations", TO_MAKE, most=ROOM)}
    UPDATE generations AS row SET
        state = 'INTENT', attempt = attempt + 1, intent_at = $1, provider_id = NULL, submitted_at = NULL,
        pay_again = false, polls = 0, fence = fence + 1, owner = $4, due_at = $3
    FROM due WHERE row.id = due.id
    RETURNING row.*, 'PENDING' AS state_before
"""  # noqa: S608 - no value of anybody is in it

# Whoever serves a provider refills its account each time that it looks for calls to make.
UNSERVED = """
    provider <> ALL($3)
    AND NOT EXISTS (SELECT FROM accounts WHERE accounts.provider = generations.provider AND filled_at > $1)
    AND NOT EXISTS (SELECT FROM brakes WHERE kind = 'provider' AND name = generations.provider)
"""

ASKED_FOR = "state IN ('INTENT', 'IN_DOUBT', 'SUBMITTED', 'HELD')"
WAITING = "state = 'SUBMITTED' AND cancel_at IS NULL AND polls > 0"
TO_LOOK_AT = f"{ASKED_FOR} AND NOT ({WAITING})"


def _claim_to_look(only: str) -> str:
    return f"""
        {due_rows("generations", only)}
        UPDATE generations AS row SET fence = fence + 1, polls = polls + 1, owner = $4, due_at = $3
        FROM due WHERE row.id = due.id
        RETURNING row.*, row.state AS state_before
    """  # noqa: S608 - no value of anybody is in it


CLAIM_TO_LOOK_AT = _claim_to_look(f"{TO_LOOK_AT} AND provider = ANY($5)")
CLAIM_WAITING = _claim_to_look(f"{WAITING} AND provider = ANY($5)")
CLAIM_UNSERVED = _claim_to_look(f"{ASKED_FOR} AND provider <> ALL($5)")


class Store:
    """The generator's rows. Nothing here decides."""

    def __init__(
        self, pool: Pool, source: str, owner: str, limits: Mapping[str, Limits | None], caps: Caps = UNCAPPED
    ) -> None:  # fmt: skip
        self._pool, self._source, self._owner, self._limits, self._caps = pool, source, owner, limits, caps

    def only(self, provider: str) -> "Store":
        """The same rows, of which those of one provider alone are claimed."""
        return Store(self._pool, self._source, self._owner, {provider: self._limits[provider]}, self._caps)

    async def take_back(self, repeatable: Sequence[str], at: datetime) -> None:
        """End the leases of this instance's former life, which is over. Called once, before the first claim.

        Intents are left alone unless asking their provider again is the same call (`repeatable` names those).
        """
        await self._pool.execute(
            """
            UPDATE generations SET due_at = least(due_at, $3)
            WHERE owner = $1 AND (state IN ('SUBMITTED', 'IN_DOUBT') OR (state = 'INTENT' AND provider = ANY($2)))
            """,
            self._owner,
            repeatable,
            at,
        )

    async def claim_to_make(self, limit: int, at: datetime, lease: timedelta) -> list[Claim]:
        """Take calls to make, as many as each provider's account and each tenant's cap allow. They are intents once
        this returns.
        """
        claims: list[Claim] = []
        async with self._pool.acquire() as connection:
            pulled = await brakes(connection)
            for provider, limits in self._limits.items():
                most = limit - len(claims)
                if most <= 0 or provider in pulled["provider"]:
                    continue
                asked = (at + lease, self._owner, provider, pulled["model"], pulled["tenant"])
                if limits is None and not self._caps:
                    claims += map(claim_of, await connection.fetch(CLAIM_TO_MAKE, at, most, *asked, *NO_CAPS))
                    continue
                async with connection.transaction():
                    if limits is None:
                        claims += await self._claim_capped(connection, provider, at, most, asked)
                    else:
                        claims += await self._claim_within(connection, provider, limits, at, most, asked)
        return claims

    async def _claim_within(
        self, connection: Connection, provider: str, limits: Limits, at: datetime, most: int, asked: tuple[Any, ...]
    ) -> list[Claim]:
        """Claim as many calls as the provider's account allows, and spend them from it."""
        account = await lock_account(connection, provider, limits, at)
        most = min(most, allowed(account, limits, at))
        claims = await self._claim_capped(connection, provider, at, most, asked) if most else []
        await write_account(connection, spent(account, len(claims), sum(claim.cost_units for claim in claims)))
        return claims

    async def _claim_capped(
        self, connection: Connection, provider: str, at: datetime, most: int, asked: tuple[Any, ...]
    ) -> list[Claim]:
        caps = await turns(connection, provider, self._caps) if self._caps else NO_CAPS
        return [claim_of(row) for row in await connection.fetch(CLAIM_TO_MAKE, at, most, *asked, *caps)]

    async def claim_to_look_at(self, limit: int, at: datetime, lease: timedelta) -> list[Claim]:
        """Take calls that were asked for and are due to be looked at one by one: lost, held, cancelled, or with news.

        A call has news when it is new, or its provider called back.
        """
        return await self._claim_to_look(CLAIM_TO_LOOK_AT, limit, at, at + lease)

    async def claim_waiting(self, limit: int, at: datetime, lease: timedelta) -> list[Claim]:
        """Take running calls that are due to be looked at and have no news."""
        return await self._claim_to_look(CLAIM_WAITING, limit, at, at + lease)

    async def claim_unserved(self, limit: int, due: datetime, until: datetime) -> list[Claim]:
        """Take calls that were asked for and are due since `due`, of providers that are not set up here."""
        return await self._claim_to_look(CLAIM_UNSERVED, limit, due, until)

    async def _claim_to_look(self, statement: str, limit: int, due: datetime, until: datetime) -> list[Claim]:
        rows = await self._pool.fetch(statement, due, limit, until, self._owner, list(self._limits))
        return [claim_of(row) for row in rows]

    async def end_unwanted(self, limit: int, at: datetime, end: Callable[[Claim], Verdict]) -> int:
        """End calls that nobody was asked for and nobody wants any more, cancelled or past their deadline, as `end`
        says, in one transaction. Returns how many.
        """
        return await self._end("deadline <= $1", limit, at, end)

    async def end_unserved(self, limit: int, at: datetime, end: Callable[[Claim], Verdict]) -> int:
        """The same for calls that wait since before `at` for a provider that is not set up here, is not paused, and is
        not asked by any other replica since then.
        """
        return await self._end(f"due_at <= $1 AND {UNSERVED}", limit, at, end, list(self._limits))

    async def _end(self, which: str, limit: int, at: datetime, end: Callable[[Claim], Verdict], *more: Any) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                f"""
                SELECT *, state AS state_before FROM generations WHERE state = 'PENDING' AND {which}
                LIMIT $2 FOR UPDATE SKIP LOCKED
                """,  # noqa: S608 - one of the two conditions above
                *(at, limit, *more),
            )
            await self._write(connection, [end(claim_of(row)) for row in rows])
        return len(rows)

    async def claimed_ids(self, provider: str, provider_ids: Sequence[str]) -> frozenset[str]:
        """Which of these provider ids belong to a generation already, as the call it has now or as a former one."""
        return await claimed(self._pool, provider, provider_ids)

    async def has_twin(self, claim: Claim) -> bool:
        """Whether another generation asks its provider for the very same, so that their calls look alike there."""
        return await has_twin(self._pool, claim.call.generation_id)

    async def each_has_one(self, claim: Claim, provider_ids: Sequence[str]) -> bool:
        """Whether these calls are as many as those alike that miss theirs, so that one of them is surely this one's."""
        return await each_has_one(self._pool, claim.call.generation_id, provider_ids)

    async def record(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """Write verdicts and say their facts, in one transaction. Returns those that counted.

        One whose claim was taken over by another worker is left out, facts included. So is one that names a call
        which is or was another generation's: it is looked at again when its lease ends.
        """
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                return await self._write(connection, verdicts)
        except (asyncpg.UniqueViolationError, FormerCallError):
            if len(verdicts) == 1:
                log.warning("a call belongs to another generation", job_id=str(verdicts[0].claim.job_id))
                return []
            return [counted for verdict in verdicts for counted in await self.record([verdict])]

    async def _write(self, connection: Connection, verdicts: Sequence[Verdict]) -> list[Verdict]:
        counted = await write(connection, verdicts) if verdicts else []
        await self.say(connection, (fact for verdict in counted for fact in verdict.facts))
        return counted

    async def answered_late(self, verdicts: Sequence[Verdict], at: datetime) -> None:
        """Take in the calls that answers to new calls name, although their claims were taken over: they exist. One that
        says how its call ended counts, too: not every provider says it twice.
        """
        for v in verdicts:
            # Anything but the answer to a call of ours may name what is somebody else's.
            if v.provider_id is not None and v.claim.state == "PENDING":
                async with self._pool.acquire() as connection, connection.transaction():
                    call = v.claim.call
                    adopter = await self.hear_of(
                        connection, call.generation_id, call.attempt, v.claim.provider, v.provider_id, at
                    )
                    ended = v.state != "SUBMITTED"
                    if ended and adopter is not None and adopter.call.generation_id == call.generation_id:
                        claim = replace(v.claim, fence=adopter.fence + 1)  # the adoption's
                        await self._write(connection, [replace(v, claim=claim)])

    async def take_up(self, connection: Connection, generation_ids: Iterable[UUID], at: datetime) -> None:
        """Give retries the lost calls that have shown up already."""
        for generation_id in generation_ids:
            if taken := await take_up(connection, generation_id, at):
                claim, provider_id = taken
                await self.say(connection, [claim.says_submitted(provider_id, at)])

    async def hear_of(
        self, connection: Connection, generation_id: UUID, attempt: int, provider: str, provider_id: str, at: datetime
    ) -> Claim | None:
        """A call exists at the provider that was made for this attempt: adopt it, look at it, or have it cancelled.
        Returns whose it is when it was adopted, as that was before.
        """
        heard = await hear_of(connection, generation_id, attempt, provider, provider_id, at)
        if heard is None or heard[1] is not Meaning.LOST_ONE:
            return None
        await self.say(connection, [heard[0].says_submitted(provider_id, at)])
        return heard[0]

    async def say(self, connection: Connection, facts: Iterable[Event]) -> None:
        """Say facts once the surrounding transaction commits."""
        await outbox.add(connection, [encode(fact, source=self._source) for fact in facts])

    async def look_now(self, connection: Connection, generation_ids: Sequence[UUID], at: datetime) -> None:
        """Look at running calls at once: their provider has news."""
        await connection.execute(
            "UPDATE generations SET due_at = least(due_at, $2), polls = 0 WHERE id = ANY($1) AND state = 'SUBMITTED'",
            generation_ids,
            at,
        )

    async def call_of(self, generation_id: UUID) -> Call | None:
        """What a generation asks for, or None when there is no such generation."""
        row = await self._pool.fetchrow("SELECT * FROM generations WHERE id = $1", generation_id)
        return call_of(row) if row else None
