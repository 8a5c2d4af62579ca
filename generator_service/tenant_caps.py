"""How many calls of one tenant may run at a time: exact, however many replicas claim at the same moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stage.database import Connection

EVERYBODY = "*"

TURNS = """
    WITH RECURSIVE lanes (lane) AS (
        (SELECT tenant FROM generations WHERE state = 'PENDING' AND provider = $1 ORDER BY tenant LIMIT 1)
        UNION ALL
        SELECT (
            SELECT tenant FROM generations WHERE state = 'PENDING' AND provider = $1 AND tenant > lane
            ORDER BY tenant LIMIT 1
        ) FROM lanes WHERE lane IS NOT NULL
    )
    SELECT lane FROM lanes WHERE CASE
        WHEN lane IS NULL OR NOT ($2 OR lane = ANY($3)) THEN false
        ELSE pg_try_advisory_xact_lock(hashtext('darkroom tenant caps'), hashtext(lane)) END
"""

ROOM = """
    least($2, coalesce((
        SELECT cap.most - (
            SELECT count(*) FROM (
                SELECT FROM generations AS busy
                WHERE busy.tenant = lane AND busy.state IN ('INTENT', 'IN_DOUBT', 'SUBMITTED') LIMIT cap.most
            ) AS running
        ) FROM unnest($8::text[], $9::bigint[]) AS cap (tenant, most) WHERE cap.tenant = lane
    ), $10::bigint))
"""
"""SQL: how many rows of a tenant (`lane`) may be claimed. Takes what `turns` gives as $8, $9 and $10.

A call counts from its intent until its end is known, lost ones included while they are looked for. Held ones do not
count: they wait for people, for up to a day.
"""

Turns = tuple[list[str], list[int], int | None]
NO_CAPS: Turns = ([], [], None)


@dataclass(frozen=True, slots=True)
class Caps:
    """How many calls may run of each tenant, and of those that are not named; None: any number."""

    own: Mapping[str, int] = field(default_factory=dict)
    others: int | None = None

    def __bool__(self) -> bool:
        return bool(self.own) or self.others is not None


UNCAPPED = Caps()


def caps_of(pairs: str) -> Caps:
    """What TENANT=NUMBER pairs say, `*` being every tenant not named. Raises ValueError for anything else."""
    split = (pair.partition("=") for pair in pairs.split(",") if pair.strip())
    caps = {tenant.strip(): int(number) for tenant, _, number in split}
    if any(number < 1 for number in caps.values()):
        raise ValueError("no call would ever be made")
    others = caps.pop(EVERYBODY, None)
    return Caps(caps, others)


async def turns(connection: Connection, provider: str, caps: Caps) -> Turns:
    """Take a turn for each tenant that has a cap and calls to make; it lasts until the transaction ends. Tenants whose
    turn another replica has are left to that one. Returns what `ROOM` takes.

    Not part of the claim itself: that would count what was there before its turn came.
    """
    rows = await connection.fetch(TURNS, provider, caps.others is not None, list(caps.own))
    ours = {row["lane"]: caps.own.get(row["lane"], caps.others) for row in rows}
    most = dict.fromkeys(caps.own, 0) | {tenant: cap for tenant, cap in ours.items() if cap is not None}
    return list(most), list(most.values()), None if caps.others is None else 0
