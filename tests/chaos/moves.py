"""Every change of a generation's state, written down by the database itself, in the transaction that makes it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

DOUBTED = frozenset({"IN_DOUBT", "HELD"})
UNKNOWN = frozenset({"INTENT", "IN_DOUBT"})
ATTACHED = frozenset({"SUBMITTED", "SUCCEEDED"})

WRITE_DOWN = """
    DROP SCHEMA IF EXISTS chaos CASCADE;
    CREATE SCHEMA chaos;
    CREATE TABLE chaos.moves (
        number bigserial, at timestamptz NOT NULL, id uuid NOT NULL, was text NOT NULL, became text NOT NULL,
        fence bigint NOT NULL
    );
    CREATE FUNCTION chaos.write_down() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO chaos.moves (at, id, was, became, fence)
        VALUES (clock_timestamp(), NEW.id, OLD.state, NEW.state, NEW.fence);
        RETURN NULL;
    END $$;
    CREATE OR REPLACE TRIGGER chaos AFTER UPDATE ON generator.generations FOR EACH ROW
        WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION chaos.write_down();
"""


@dataclass(frozen=True, slots=True)
class Move:
    """A generation's state changed. `fence` tells whose claim it was."""

    at: datetime
    id: UUID
    was: str
    became: str
    fence: int


@dataclass(frozen=True, slots=True)
class Orphans:
    """Calls that a process had in hand when it was killed: asked for or about to be, and not recorded."""

    at: datetime
    ids: Collection[UUID]


async def write_down(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Begin. What an earlier scenario wrote is forgotten."""
    await admin.execute(WRITE_DOWN)


async def written(admin: "asyncpg.Connection[asyncpg.Record]") -> list[Move]:
    """Everything so far, in order."""
    rows = await admin.fetch("SELECT at, id, was, became, fence FROM chaos.moves ORDER BY number")
    return [Move(*row) for row in rows]


async def orphans_of(admin: "asyncpg.Connection[asyncpg.Record]", victim: str) -> Orphans:
    """What `victim`, dead just now, leaves behind."""
    rows = await admin.fetch("SELECT id FROM generator.generations WHERE owner = $1 AND state = 'INTENT'", victim)
    return Orphans(await admin.fetchval("SELECT clock_timestamp()"), {row["id"] for row in rows})


def reattached(moves: Iterable[Move]) -> set[UUID]:
    """The generations that found their call again by its callback or by the list, not by the answer to it.

    An answer is recorded under the fence of the claim that asked; anybody else has another one.
    """
    asked: dict[UUID, int] = {}
    found = set()
    for move in moves:
        if move.became == "INTENT":
            asked[move.id] = move.fence
        elif move.became in ATTACHED and (
            move.was in DOUBTED or (move.was == "INTENT" and move.fence != asked.get(move.id))
        ):
            found.add(move.id)
    return found


def recoveries(moves: Sequence[Move], orphaned: Iterable[Orphans]) -> list[float]:
    """For each orphan, the seconds from the kill until it was known again: attached, held, or surely never asked."""
    known: dict[UUID, list[datetime]] = {}
    for move in moves:
        if move.became not in UNKNOWN:
            known.setdefault(move.id, []).append(move.at)
    seconds = []
    for orphans in orphaned:
        for each in orphans.ids:
            later = (at for at in known.get(each, []) if at >= orphans.at)
            if moment := next(later, None):
                seconds.append((moment - orphans.at).total_seconds())
    return seconds


def p99(values: Sequence[float]) -> float:
    """The value that a hundredth of them exceed; nothing is exceeded by nobody."""
    ordered = sorted(values)
    return round(ordered[max(0, -(-99 * len(ordered) // 100) - 1)], 2) if ordered else 0.0
