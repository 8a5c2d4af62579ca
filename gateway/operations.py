"""What operators do by hand with keys and tenants. Every statement for it is here; a key itself is in none of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from gateway.callers import Limits, Scope
from gateway.keys import hash_of, id_of, new_key
from stage.database import Connection, Pool

LIMITS = tuple(field.name for field in fields(Limits))
STATE = """
    CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= $1 THEN 'expired'
         WHEN suspended_at IS NOT NULL THEN 'suspended' ELSE 'good' END
"""


class RefusedError(Exception):
    """It cannot be done as things are, and nothing was changed: says why."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made just now: the only time that anybody sees it."""

    key: str
    id: str
    tenant: str
    name: str
    scopes: Sequence[str]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key as it may be shown."""

    id: str
    tenant: str
    name: str
    scopes: Sequence[str]
    state: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tenant:
    """Somebody who may call, and how much. None is the gateway's setting."""

    name: str
    keys: int
    suspended_at: datetime | None
    requests_per_minute: int | None
    jobs_queued: int | None
    created_at: datetime


class Operations:
    """Changes by hand. Every gateway goes by them within 30 seconds."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(
        self, tenant: str, name: str, scopes: Sequence[Scope], expires_at: datetime | None, at: datetime, *,
        word: str, new_tenant: bool,
    ) -> NewKey:  # fmt: skip
        """Make a key for a tenant that is there. With `new_tenant`, and for the very first, the tenant is made too.

        `RefusedError` for a tenant that is not there, so that a slip of the pen makes no stranger, and for a new one
        that is there already: its jobs are somebody's.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            made = await connection.fetchval(
                """
                INSERT INTO gateway.tenants (name, created_at)
                SELECT $1, $2 WHERE $3 OR NOT EXISTS (SELECT FROM gateway.tenants)
                ON CONFLICT DO NOTHING RETURNING true
                """,
                tenant,
                at,
                new_tenant,
            )
            there = made or await connection.fetchval("SELECT true FROM gateway.tenants WHERE name = $1", tenant)
            if new_tenant and not made:
                raise RefusedError(
                    f"there is a tenant {tenant} already: leave --new-tenant out to give it one more key"
                )
            if not there:
                raise RefusedError(f"there is no tenant {tenant}: correct the name, or give --new-tenant")
            return await _add(connection, tenant, name, [str(scope) for scope in scopes], expires_at, at, word)

    async def keys(self, tenant: str | None, at: datetime) -> list[ShownKey]:
        """The keys of one tenant or of all, the oldest first."""
        rows = await self._pool.fetch(
            f"""
            SELECT id, tenant, keys.name, scopes, {STATE} AS state, keys.created_at, expires_at, last_used_at
            FROM gateway.keys JOIN gateway.tenants ON tenants.name = tenant
            WHERE $2::text IS NULL OR tenant = $2 ORDER BY tenant, keys.created_at, id
            """,  # noqa: S608 - our own words inside
            at,
            tenant,
        )
        return [ShownKey(**dict(row)) for row in rows]

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Let nobody in with this key any more. False when it was revoked before; `RefusedError` when there is none."""
        before = await self._pool.fetchrow(
            """
            UPDATE gateway.keys SET revoked_at = coalesce(keys.revoked_at, $2) FROM gateway.keys AS before
            WHERE keys.id = $1 AND before.id = keys.id RETURNING before.revoked_at
            """,
            key_id,
            at,
        )
        if before is None:
            raise _no_such_key(key_id)
        return before["revoked_at"] is None

    async def rotate(self, key_id: str, overlap: timedelta, at: datetime, *, word: str) -> NewKey:
        """Make a key like this one, which goes on for `overlap` and not longer. The new one lives as long as the old
        one was meant to. `RefusedError` for a key that opens nothing any more.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            old = await connection.fetchrow(
                """
                SELECT tenant, name, scopes, created_at, expires_at,
                       revoked_at IS NOT NULL OR coalesce(expires_at <= $2, false) AS over
                FROM gateway.keys WHERE id = $1 FOR UPDATE
                """,
                key_id,
                at,
            )
            if old is None:
                raise _no_such_key(key_id)
            if old["over"]:
                raise RefusedError(f"{key_id} is revoked or expired: make another one with `darkroom keys create`")
            until = None if old["expires_at"] is None else at + (old["expires_at"] - old["created_at"])
            await connection.execute(
                "UPDATE gateway.keys SET expires_at = least(expires_at, $2) WHERE id = $1", key_id, at + overlap
            )
            return await _add(connection, old["tenant"], old["name"], old["scopes"], until, at, word)

    async def tenants(self, at: datetime) -> list[Tenant]:
        """Every tenant, with how many keys open for it."""
        rows = await self._pool.fetch(
            f"""
            SELECT name, suspended_at, {", ".join(LIMITS)}, created_at, (
                SELECT count(*) FROM gateway.keys
                WHERE tenant = tenants.name AND revoked_at IS NULL AND coalesce(expires_at > $1, true)
            ) AS keys
            FROM gateway.tenants ORDER BY name
            """,  # noqa: S608 - our own words inside
            at,
        )
        return [Tenant(**dict(row)) for row in rows]

    async def tenant(self, name: str, at: datetime) -> Tenant:
        """One of them. `RefusedError` when there is none."""
        for tenant in await self.tenants(at):
            if tenant.name == name:
                return tenant
        raise RefusedError(f"there is no tenant {name}: `darkroom tenants list` shows those that are there")

    async def suspend(self, name: str, at: datetime) -> None:
        """Answer its every request with 403. A repeat keeps the first moment."""
        await self._pool.execute(
            "UPDATE gateway.tenants SET suspended_at = coalesce(suspended_at, $2) WHERE name = $1", name, at
        )

    async def resume(self, name: str) -> None:
        """Let it in again."""
        await self._pool.execute("UPDATE gateway.tenants SET suspended_at = NULL WHERE name = $1", name)

    async def limit(self, name: str, limits: Mapping[str, int | None]) -> None:
        """Set these limits of a tenant; None leaves one to the gateway's setting."""
        names = [limit for limit in LIMITS if limit in limits]
        changes = ", ".join(f"{limit} = ${number}" for number, limit in enumerate(names, start=2))
        await self._pool.execute(
            f"UPDATE gateway.tenants SET {changes} WHERE name = $1",  # noqa: S608 - our own names
            name,
            *(limits[limit] for limit in names),
        )


async def _add(
    connection: Connection, tenant: str, name: str, scopes: Sequence[str], expires_at: datetime | None,
    at: datetime, word: str,
) -> NewKey:  # fmt: skip
    key = new_key(word)
    hashed = hash_of(key)
    made = NewKey(key, id_of(hashed), tenant, name, scopes, expires_at)
    await connection.execute(
        """
        INSERT INTO gateway.keys (id, tenant, name, scopes, hash, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        made.id,
        tenant,
        name,
        list(scopes),
        hashed,
        at,
        expires_at,
    )
    return made


def _no_such_key(key_id: str) -> RefusedError:
    return RefusedError(f"there is no key {key_id}: `darkroom keys list` shows those that are there")
