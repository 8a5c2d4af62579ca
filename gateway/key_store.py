"""What the door reads of keys and tenants, and the one thing that it writes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from gateway.callers import Caller, Limits, Scope
from stage.database import Pool, within

PATIENCE = 1.0  # seconds to write down uses: what is not written now is written later, and a stop waits for it

KNOWN = """
    SELECT keys.id, hash, tenant, scopes, expires_at, revoked_at IS NOT NULL AS revoked,
           suspended_at IS NOT NULL AS suspended, requests_per_minute, jobs_queued
    FROM gateway.keys JOIN gateway.tenants ON tenants.name = tenant WHERE hash = ANY($1)
"""
USED = """
    UPDATE gateway.keys SET last_used_at = used.at FROM unnest($1::text[], $2::timestamptz[]) AS used (id, at)
    WHERE keys.id = used.id AND (last_used_at IS NULL OR last_used_at <= used.at - interval '1 minute')
"""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that we gave out, and who may come in with it, if anybody still may."""

    caller: Caller
    expires_at: datetime | None
    revoked: bool
    suspended: bool

    def good(self, at: datetime) -> bool:
        """Whether it opens the door at that moment."""
        return not self.revoked and (self.expires_at is None or at < self.expires_at)


class KeyStore:
    """Reads keys by their hash."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def known(self, hashes: Collection[bytes]) -> dict[bytes, KnownKey]:
        """Those of the keys that exist, with their tenants as they are now."""
        return {row["hash"]: _known(row) for row in await self._pool.fetch(KNOWN, list(hashes))}

    async def used(self, keys: Mapping[str, datetime]) -> None:
        """Keep when these keys were used last. One that was used within the minute before stays as it is."""
        rows = sorted(keys.items())  # in one order everywhere: two replicas must not wait for each other
        await within(PATIENCE, self._pool.execute(USED, [key for key, _ in rows], [at for _, at in rows]))


def _known(row: asyncpg.Record) -> KnownKey:
    limits = Limits(row["requests_per_minute"], row["jobs_queued"])
    caller = Caller(row["tenant"], frozenset(map(Scope, row["scopes"])), row["id"], limits)
    return KnownKey(caller, row["expires_at"], row["revoked"], row["suspended"])
