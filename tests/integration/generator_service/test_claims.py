"""Which calls are claimed to be made, on a real PostgreSQL: none that nobody wants any more."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from darkroom.local.stack import Stack
from generator_service import gates
from generator_service.allowance import Limits
from generator_service.plan import Generation
from generator_service.store import Store
from generator_service.tables import SCHEMA
from schemas.clock import utc_now
from stage.database import Pool, new_pool

LEASE = timedelta(seconds=60)


@pytest.fixture
async def pool(servers: Stack) -> AsyncIterator[Pool]:
    """The generator's tables, empty."""
    async with await new_pool(servers.environ["GENERATOR_DATABASE_URL"], schema=SCHEMA, name="test", size=4) as pool:
        await pool.execute("TRUNCATE generations, cancels, accounts, brakes, former_calls, outbox")
        yield pool


def a_generation(deadline: datetime | None = None, cost_units: int = 1) -> Generation:
    ask = {"model": "m", "prompt": "p", "num_outputs": 1, "seed": 1, "output_format": None, "input": {}}
    return Generation(
        id=uuid4(), job_id=uuid4(), revision=1, number=0, tenant="dev", provider="paid", model="m", outputs=(0,),
        ask=ask, cost_units=cost_units, deadline=deadline,
    )  # fmt: skip


async def planned(pool: Pool, store: Store, *generations: Generation) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await gates.add(connection, generations, utc_now())


async def test_a_call_whose_deadline_has_passed_is_not_claimed_however_late_it_is_dropped(pool: Pool) -> None:
    store, at = Store(pool, "test", "test", {"paid": None}), utc_now()
    await planned(pool, store, a_generation(deadline=at), wanted := a_generation(deadline=at + LEASE))

    claims = await store.claim_to_make(10, at + timedelta(seconds=1), LEASE)

    assert [claim.job_id for claim in claims] == [wanted.job_id]


async def test_a_cancelled_call_is_not_claimed_however_late_it_is_dropped(pool: Pool) -> None:
    store = Store(pool, "test", "test", {"paid": None})
    await planned(pool, store, unwanted := a_generation())
    async with pool.acquire() as connection, connection.transaction():
        await gates.cancel(connection, {unwanted.job_id: 1}, utc_now())

    assert await store.claim_to_make(10, utc_now(), LEASE) == []


@pytest.mark.parametrize(("dearest", "claimed"), [(1, 5), (2, 3), (5, 1), (50, 1)])
async def test_a_cap_of_cost_units_is_passed_by_one_call_at_most(pool: Pool, dearest: int, claimed: int) -> None:
    store = Store(pool, "test", "test", {"paid": Limits(cost_a_day=5, dearest=dearest)})
    await planned(pool, store, *(a_generation(cost_units=dearest) for _ in range(9)))

    found = 0
    while claims := await store.claim_to_make(10, utc_now(), LEASE):
        found += len(claims)

    assert found == claimed


async def test_a_removed_jobs_prompt_is_forgotten_once_its_call_is_over_and_no_other(pool: Pool) -> None:
    store = Store(pool, "test", "test", {"paid": None})
    over, later_revision, running, another = (a_generation() for _ in range(4))
    await planned(pool, store, over, replace(later_revision, revision=2), running, another)
    await pool.execute("UPDATE generations SET state = 'SUCCEEDED', due_at = NULL WHERE id <> $1", running.id)

    async with pool.acquire() as connection, connection.transaction():
        await gates.forget(connection, {over.job_id: 1, later_revision.job_id: 1, running.job_id: 1})

    left = {row["id"]: row["ask"] for row in await pool.fetch("SELECT id, ask FROM generations")}
    assert {name for name, ask in left.items() if ask["prompt"]} == {later_revision.id, running.id, another.id}
    assert left[over.id] == over.ask | {"prompt": "", "input": {}}
