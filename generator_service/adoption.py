"""What becomes of a call at the provider that we hear of by another road than its answer: a callback that names it,
or an answer that came after its claim had been taken over. Both name the attempt it was made for, so it is surely ours.
"""

from dataclasses import replace
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

import asyncpg
from prometheus_client import Counter

from generator_service.claim import ACTIVE, Claim
from generator_service.former_calls import claimed, remember_duplicate, remember_given_up, take_given_up
from generator_service.rows import claim_of
from stage.database import Connection
from stage.telemetry import get_logger

log = get_logger(__name__)

DUPLICATES = Counter("darkroom_duplicate_calls", "Second calls for one generation, kept to be cancelled", ["provider"])


class Meaning(Enum):
    """What a call that is surely ours is to its generation."""

    KNOWN = auto()
    """It is the one the generation has: there may be news."""
    LOST_ONE = auto()
    """It is the one that is looked for."""
    GIVEN_UP = auto()
    """It was looked for and given up. A later revision may still look for it."""
    ANOTHERS = auto()
    """It belongs to another generation, to an attempt that failed, or to one that was never made."""
    DUPLICATE = auto()
    """Nobody needs it: the generation went on without it."""


def meaning(claim: Claim, attempt: int, provider_id: str, *, owned: bool) -> Meaning:
    """What the call `provider_id`, made for `attempt`, is to the generation. `owned`: some call of ours has that id."""
    if claim.call.provider_id == provider_id:
        return Meaning.KNOWN
    if owned or attempt > claim.call.attempt:
        return Meaning.ANOTHERS
    if claim.call.provider_id is None and claim.call.attempt == attempt:
        if claim.state in ("PENDING", *ACTIVE):
            return Meaning.LOST_ONE
        if claim.state == "FAILED":
            return Meaning.GIVEN_UP
    return Meaning.DUPLICATE


async def hear_of(
    connection: Connection, generation_id: UUID, attempt: int, provider: str, provider_id: str, at: datetime
) -> tuple[Claim, Meaning] | None:
    """Take in that the call `provider_id` exists and was made for `attempt` of this generation.

    A lost one is adopted, with the generation that is returned as its owner: its submission is the caller's to say. A
    duplicate is kept to be cancelled. None when the generation is unknown or another provider's. Safe to repeat.
    """
    claim = await _locked(connection, "id = $1", generation_id)
    if claim is None or claim.provider != provider:
        return None
    owned = bool(await claimed(connection, provider, [provider_id]))
    what = meaning(claim, attempt, provider_id, owned=owned)
    if what is Meaning.GIVEN_UP:
        seeker = await _locked(connection, "seeks = $1", generation_id)
        if seeker is None or (seeker.only_sought and seeker.state == "FAILED"):
            await remember_given_up(connection, claim, provider_id)
            log.warning("a call that was given up has shown up: a retry adopts it", job_id=str(claim.job_id))
        elif seeker.only_sought:
            claim, what = seeker, Meaning.LOST_ONE
        elif seeker.state == "PENDING":
            # Its own call failed, and the next one is not made yet.
            claim, what = _as_next_attempt(seeker), Meaning.LOST_ONE
        else:
            what = Meaning.DUPLICATE  # the retry asked anew, and may have lost a call of its own
    if what is Meaning.LOST_ONE and not await _adopt(connection, claim, provider_id, at):
        what = Meaning.ANOTHERS
    if what is Meaning.DUPLICATE and await remember_duplicate(connection, claim, attempt, provider_id, at):
        log.error("a second call for one generation", job_id=str(claim.job_id), provider_id=provider_id)
        DUPLICATES.labels(provider).inc()
    return claim, what


async def take_up(connection: Connection, generation_id: UUID, at: datetime) -> tuple[Claim, str] | None:
    """Give a retry the call that it would look for, when that has shown up already: the retry as it was, and the id.

    Its submission is the caller's to say.
    """
    claim = await _locked(connection, "id = $1", generation_id)
    name = await take_given_up(connection, generation_id)
    if claim is None or name is None or not await _adopt(connection, claim, name, at):
        return None
    return claim, name


def _as_next_attempt(claim: Claim) -> Claim:
    return replace(claim, call=replace(claim.call, attempt=claim.call.attempt + 1))


async def _locked(connection: Connection, which: str, generation_id: UUID) -> Claim | None:
    row = await connection.fetchrow(
        f"SELECT *, state AS state_before FROM generations WHERE {which} ORDER BY revision DESC LIMIT 1 FOR UPDATE",  # noqa: S608
        generation_id,
    )
    return claim_of(row) if row else None


async def _adopt(connection: Connection, claim: Claim, provider_id: str, at: datetime) -> bool:
    """Give a lost call its provider's id and look at it now. False when another generation took that id meanwhile."""
    try:
        async with connection.transaction():
            await connection.execute(
                """
                UPDATE generations SET state = 'SUBMITTED', provider_id = $2, due_at = $3, polls = 0,
                    submitted_at = coalesce(submitted_at, $3), fence = fence + 1, attempt = $4
                WHERE id = $1
                """,
                *(claim.call.generation_id, provider_id, at, claim.call.attempt),
            )
    except asyncpg.UniqueViolationError:
        return False
    return True
