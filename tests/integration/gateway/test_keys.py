"""Keys and tenants in a real PostgreSQL: given out, taken back, and what a gateway makes of that."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from starlette.datastructures import Headers

from darkroom.local.stack import Stack
from gateway.callers import Limits, Scope
from gateway.doors import KeyDoor
from gateway.key_store import KeyStore
from gateway.keys import hash_of, new_key, well_formed
from gateway.operations import NewKey, Operations, RefusedError
from gateway.problems import Problem
from schemas.clock import utc_now
from stage.database import Pool
from tests.builders import NOON, later
from tests.integration.gateway.keyed import ASK, Keyed, a_key, bearing, gateway_tables

DAY = timedelta(days=1)


@pytest.fixture
async def pool(servers: Stack) -> AsyncIterator[Pool]:
    async with gateway_tables(servers) as pool:
        yield pool


@pytest.fixture
async def doors(pool: Pool) -> Operations:
    await pool.execute("TRUNCATE gateway.keys, gateway.tenants")
    return Operations(pool)


async def make(doors: Operations, tenant: str = "acme", at: datetime = NOON, **told: bool) -> NewKey:
    """A key that may read and lives for a day."""
    new_tenant = told.get("new_tenant", False)
    return await doors.create(tenant, "website", [Scope.READ], at + DAY, at, word="test", new_tenant=new_tenant)


class Replica:
    """The door of one gateway, whose time the test sets."""

    def __init__(self, pool: Pool) -> None:
        self.seconds = 0.0
        self.door = KeyDoor(KeyStore(pool), lambda: later(self.seconds), lambda: self.seconds)

    async def status(self, key: str) -> int:
        """What a request with this key gets."""
        try:
            await self.door.admit(Headers({"X-API-Key": key}))
        except Problem as problem:
            return problem.status
        return 200


async def test_the_first_key_makes_its_tenant_and_later_ones_want_to_be_told(doors: Operations) -> None:
    first = await make(doors, "acme")
    second = await make(doors, "acme")
    with pytest.raises(RefusedError, match="there is no tenant acne: correct the name, or give --new-tenant"):
        await make(doors, "acne")
    with pytest.raises(RefusedError, match="there is a tenant acme already"):
        await make(doors, "acme", new_tenant=True)
    await make(doors, "beta", new_tenant=True)

    assert well_formed(first.key)
    assert [(tenant.name, tenant.keys) for tenant in await doors.tenants(NOON)] == [("acme", 2), ("beta", 1)]
    assert {key.id for key in await doors.keys("acme", NOON)} == {first.id, second.id}


async def test_a_key_stands_nowhere_in_the_tables(doors: Operations, pool: Pool) -> None:
    made = await make(doors)

    rows = await pool.fetch("SELECT keys::text AS row, hash FROM keys")

    assert [row["hash"] for row in rows] == [hash_of(made.key)]
    secret = made.key.split("_")[2]
    assert all(secret not in row["row"] and secret.encode().hex() not in row["row"] for row in rows)


async def test_a_revoked_key_opens_no_replica_30_seconds_later_and_stays_revoked(doors: Operations, pool: Pool) -> None:
    made, replicas = await make(doors), [Replica(pool), Replica(pool)]
    assert [await replica.status(made.key) for replica in replicas] == [200, 200]

    first, again = await doors.revoke(made.id, later(1)), await doors.revoke(made.id, later(2))
    for replica in replicas:
        replica.seconds = 30

    assert [await replica.status(made.key) for replica in replicas] == [401, 401]
    assert (first, again) == (True, False)
    assert await pool.fetchval("SELECT revoked_at FROM keys") == later(1)
    with pytest.raises(RefusedError, match="there is no key key_0"):
        await doors.revoke("key_0", NOON)


async def test_after_a_rotation_both_keys_open_until_the_overlap_is_over(doors: Operations, pool: Pool) -> None:
    old = await make(doors)

    new = await doors.rotate(old.id, timedelta(hours=1), later(60), word="test")

    replica = Replica(pool)
    assert [await replica.status(old.key), await replica.status(new.key)] == [200, 200]
    replica.seconds = 3_660
    assert [await replica.status(old.key), await replica.status(new.key)] == [401, 200]
    assert replace(new, key=old.key, id=old.id) == replace(old, expires_at=later(60) + DAY)
    with pytest.raises(RefusedError, match="revoked or expired"):
        await doors.rotate(old.id, timedelta(hours=1), later(3_660), word="test")


async def test_an_overlap_never_makes_a_key_live_longer(doors: Operations) -> None:
    old = await make(doors)

    await doors.rotate(old.id, 7 * DAY, NOON, word="test")

    assert {key.expires_at for key in await doors.keys(None, NOON)} == {NOON + DAY}


async def test_a_list_says_of_each_key_whether_it_opens(doors: Operations) -> None:
    made = [await make(doors) for _ in range(2)]
    await doors.revoke(made[0].id, NOON)
    other = await make(doors, "beta", new_tenant=True)
    await doors.suspend("beta", NOON)

    now = {key.id: key.state for key in await doors.keys(None, NOON)}
    tomorrow = {key.id: key.state for key in await doors.keys("acme", NOON + DAY)}

    assert now == {made[0].id: "revoked", made[1].id: "good", other.id: "suspended"}
    assert tomorrow == {made[0].id: "revoked", made[1].id: "expired"}


async def test_a_tenants_limits_reach_the_gateway_and_go_back_to_the_settings(doors: Operations, pool: Pool) -> None:
    made, replica = await make(doors), Replica(pool)
    await doors.limit("acme", {"requests_per_minute": 600, "jobs_queued": 50})
    await doors.limit("acme", {"jobs_queued": None})

    caller = await replica.door.admit(Headers({"X-API-Key": made.key}))

    assert (caller.tenant, caller.scopes, caller.key_id) == ("acme", frozenset({Scope.READ}), made.id)
    assert caller.limits == Limits(requests_per_minute=600)
    with pytest.raises(asyncpg.CheckViolationError):
        await doors.limit("acme", {"jobs_queued": 0})


async def test_the_last_use_is_written_once_a_minute_whatever_the_replicas(doors: Operations, pool: Pool) -> None:
    made, written = await make(doors), []
    for seconds in (0, 30, 59, 60, 90, 121):
        replica = Replica(pool)
        replica.seconds = seconds
        await replica.status(made.key)
        await replica.door.write_uses()
        written.append(await pool.fetchval("SELECT last_used_at FROM keys"))

    assert written == [later(0), later(0), later(0), later(60), later(60), later(121)]


@pytest.mark.usefixtures("local_servers_only")
async def test_without_postgresql_a_key_seen_lately_still_submits_and_a_new_one_is_told_to_wait(
    servers: Stack, doors: Operations
) -> None:
    seen, unseen = await a_key(doors, f"t-{uuid4()}"), await a_key(doors, f"t-{uuid4()}")
    async with Keyed.open(servers) as gateway, gateway_tables(servers) as pool:
        ahead = 0.0
        gateway.app.state.door = KeyDoor(KeyStore(pool), utc_now, lambda: ahead)
        assert (await gateway.http.post("/api/v1/generate", json=ASK, headers=bearing(seen))).status_code == 202

        await servers.stop("postgres")
        try:
            ahead = 1_800.0  # half an hour without it
            accepted = await gateway.http.post("/api/v1/generate", json=ASK, headers=bearing(seen))
            refused = await gateway.http.post("/api/v1/generate", json=ASK, headers=bearing(unseen))
            mistyped = await gateway.http.post("/api/v1/generate", json=ASK, headers=bearing("dk_test_x"))
        finally:
            await servers.start("postgres")
        ahead = 1_802.0
        later_on = await gateway.http.post("/api/v1/generate", json=ASK, headers=bearing(unseen))

    assert (accepted.status_code, refused.status_code, mistyped.status_code) == (202, 503, 401)
    assert refused.json()["type"] == "urn:darkroom:problem:unavailable"
    assert later_on.status_code == 202


async def test_a_key_that_nobody_gave_out_is_refused_though_its_form_is_right(servers: Stack, pool: Pool) -> None:
    assert await Replica(pool).status(new_key("test")) == 401
