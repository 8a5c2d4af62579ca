"""How many calls of a tenant run at a time, on a real PostgreSQL, with replicas that claim at the same moment."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest

from generator_service import gates
from generator_service.allowance import Limits
from generator_service.claim import Claim, Verdict
from generator_service.plan import Generation
from generator_service.store import Store
from generator_service.tenant_caps import Caps
from schemas.clock import utc_now
from stage.database import Pool

LEASE = timedelta(seconds=60)
ASK = {"model": "m", "prompt": "p", "num_outputs": 1, "seed": 1, "output_format": None, "input": {}}


async def planned(pool: Pool, tenant: str, calls: int, provider: str = "paid") -> None:
    generations = [
        Generation(
            id=uuid4(), job_id=uuid4(), revision=1, number=0, tenant=tenant, provider=provider, model="m", outputs=(0,),
            ask=ASK, cost_units=1, deadline=None,
        )
        for _ in range(calls)
    ]  # fmt: skip
    async with pool.acquire() as connection, connection.transaction():
        await gates.add(connection, generations, utc_now())


def a_store(pool: Pool, caps: Caps, limits: Limits | None = None) -> Store:
    return Store(pool, "test", "test", {"paid": limits, "other": limits}, caps)


async def claimed(store: Store, limit: int = 100) -> list[Claim]:
    return await store.claim_to_make(limit, utc_now(), LEASE)


def of_tenants(claims: list[Claim]) -> dict[str, int]:
    return dict(Counter(claim.tenant for claim in claims))


async def running(pool: Pool, tenant: str) -> int:
    """How many calls of a tenant run, at one moment."""
    found: int = await pool.fetchval(
        "SELECT count(*) FROM generations WHERE tenant = $1 AND state IN ('INTENT', 'SUBMITTED')", tenant
    )
    return found


@pytest.mark.parametrize("limits", [None, Limits(per_minute=60_000, burst=10_000)], ids=["no account", "an account"])
async def test_two_replicas_never_run_more_calls_of_a_tenant_than_its_cap_and_all_are_made(
    pool: Pool, limits: Limits | None
) -> None:
    await planned(pool, "acme", 50)
    await planned(pool, "free", 50)
    seen: list[int] = []

    async def replica(store: Store) -> None:
        while await pool.fetchval("SELECT EXISTS (SELECT FROM generations WHERE due_at IS NOT NULL)"):
            claims = await claimed(store, 8)
            seen.append(await running(pool, "acme"))
            await store.record([Verdict(claim, "SUCCEEDED", None) for claim in claims])

    async with asyncio.timeout(60):
        await asyncio.gather(*(replica(a_store(pool, Caps({"acme": 3}), limits)) for _ in range(3)))

    assert max(seen) == 3
    assert await pool.fetchval("SELECT count(*) FROM generations WHERE state = 'SUCCEEDED' AND attempt = 1") == 100


async def test_other_tenants_are_not_held_back_by_one_that_runs_as_many_as_it_may(pool: Pool) -> None:
    await planned(pool, "acme", 20)
    await planned(pool, "free", 20)
    store = a_store(pool, Caps({"acme": 3}))

    assert of_tenants(await claimed(store, 10)) == {"acme": 3, "free": 7}
    assert of_tenants(await claimed(store, 10)) == {"free": 10}


async def test_a_cap_for_everybody_holds_for_each_tenant_without_one_of_its_own(pool: Pool) -> None:
    for tenant in ("acme", "big", "small"):
        await planned(pool, tenant, 10)
    store = a_store(pool, Caps({"big": 5}, others=2))

    assert of_tenants(await claimed(store)) == {"acme": 2, "big": 5, "small": 2}
    assert await claimed(store) == []


async def test_a_tenants_calls_to_all_providers_count_together(pool: Pool) -> None:
    await planned(pool, "acme", 10)
    await planned(pool, "acme", 10, provider="other")

    assert of_tenants(await claimed(a_store(pool, Caps({"acme": 12})))) == {"acme": 12}


@pytest.mark.parametrize(
    ("state", "more"), [("INTENT", 0), ("SUBMITTED", 0), ("IN_DOUBT", 0), ("HELD", 1), ("PENDING", 1), ("FAILED", 1)]
)
async def test_a_call_counts_while_it_may_run_and_not_while_it_waits_for_people(
    pool: Pool, state: str, more: int
) -> None:
    await planned(pool, "acme", 1)
    store = a_store(pool, Caps(others=1))
    [claim] = await claimed(store)
    over = state == "FAILED"
    [_] = await store.record([Verdict(claim, state, None if over else utc_now() + LEASE, provider_id="p-1")])
    await planned(pool, "acme", 5)

    assert len(await claimed(store)) == more


async def test_a_tenant_whose_turn_another_replica_has_is_left_to_that_one(pool: Pool) -> None:
    await planned(pool, "acme", 5)
    store = a_store(pool, Caps(others=5))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('darkroom tenant caps'), hashtext('acme'))")

        assert await claimed(store) == []

    assert len(await claimed(store)) == 5
