"""Which calls are claimed to be made, on a real PostgreSQL: none that nobody wants any more."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from darkroom.local.stack import Stack
from generator_service import gates
from generator_service.allowance import Limits
from generator_service.calls import Failed, NotSent, Throttled
from generator_service.claim import Policy
from generator_service.decide import Outcome, decide
from generator_service.operations import Operations
from generator_service.plan import Generation
from generator_service.store import Store
from generator_service.tables import SCHEMA
from schemas.clock import utc_now
from stage.database import Pool, new_pool

LEASE = timedelta(seconds=60)
POLICY = Policy(max_attempts=3, delay=lambda _: 0.5)


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


async def test_a_cancel_counts_at_once_whatever_the_clock_of_whoever_heard_it_says(pool: Pool) -> None:
    store = Store(pool, "test", "test", {"paid": None})
    await planned(pool, store, unwanted := a_generation())
    at = utc_now()
    async with pool.acquire() as connection, connection.transaction():
        await gates.cancel(connection, {unwanted.job_id: 1}, at + timedelta(minutes=5))

    assert await store.claim_to_make(10, at, LEASE) == []


@pytest.mark.parametrize("answer", [NotSent("no connection"), Throttled(timedelta(0), "every slot is taken")])
async def test_what_was_never_asked_is_not_of_the_days_cap(pool: Pool, answer: Outcome) -> None:
    """A container with one slot, or a provider that is away, used up the day's calls without making one."""
    store = Store(pool, "test", "test", {"paid": Limits(calls_a_day=2, cost_a_day=10, dearest=5)})
    await planned(pool, store, a_generation(cost_units=5), a_generation(cost_units=5))
    at = utc_now()

    for _ in range(3):
        claims = await store.claim_to_make(10, at, LEASE)
        assert len(claims) == 2
        await store.record([decide(claim, answer, at, POLICY, frozenset()) for claim in claims])
        at += timedelta(seconds=1)

    [spent] = await Operations(pool, "test").spent(at)
    assert (spent.calls, spent.cost_units) == (0, 0)


async def test_what_was_asked_and_refused_stays_of_the_days_cap(pool: Pool) -> None:
    store = Store(pool, "test", "test", {"paid": Limits(calls_a_day=2)})
    await planned(pool, store, a_generation(), a_generation())
    at = utc_now()

    refusal = Failed("insufficient_credit", "the account is empty", retryable=True)
    claims = await store.claim_to_make(10, at, LEASE)
    await store.record([decide(claim, refusal, at, POLICY, frozenset()) for claim in claims])

    assert await store.claim_to_make(10, at + LEASE, LEASE) == []


async def test_an_account_that_is_refused_lets_the_rest_wait_for_a_minute_and_says_why(pool: Pool) -> None:
    """Every waiting call found out for itself, and used up its attempts within seconds."""
    store = Store(pool, "test", "test", {"paid": Limits()})
    await planned(pool, store, *(a_generation() for _ in range(4)))
    at = utc_now()

    refused, throttled = await store.claim_to_make(2, at, LEASE)
    no_credit = Failed("insufficient_credit", "the account is empty", retryable=True)
    await store.record([decide(refused, no_credit, at, POLICY, frozenset())])
    await store.record([decide(throttled, Throttled(timedelta(seconds=5), "slow down"), at, POLICY, frozenset())])

    assert await store.claim_to_make(4, at + timedelta(seconds=59), LEASE) == []
    [resting] = await Operations(pool, "test").spent(at)
    assert (resting.blocked_until, resting.blocked_why) == (at + timedelta(seconds=60), "insufficient_credit")
    assert len(await store.claim_to_make(4, at + timedelta(seconds=60), LEASE)) == 4
    [goes_on] = await Operations(pool, "test").spent(at + timedelta(seconds=60))
    assert (goes_on.blocked_until, goes_on.blocked_why) == (None, None)


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
