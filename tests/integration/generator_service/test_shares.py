"""Each provider has slots of its own, on a real PostgreSQL: one that hangs delays nobody else's calls."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from generator_service import gates
from generator_service.calls import Call, Found, NotSent, Polled, Running, Submitted, Unknown
from generator_service.plan import Generation
from generator_service.providers.protocol import Provider
from generator_service.shares import Shares
from generator_service.store import Store
from generator_service.worker import Worker
from schemas.clock import utc_now
from stage.database import Pool
from stage.work import SLOTS
from tests.integration.generator_service.pretend import KINDS
from tests.integration.generator_service.processes import LEASE, POLICY, doorbell

ENOUGH = 10.0  # seconds


class Stuck:
    """A provider that says nothing until it is let go."""

    name = "a stuck one"
    capabilities = KINDS["calls back"]

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def submit(self, call: Call, at: datetime) -> Submitted:
        await self.let_go.wait()
        return NotSent("it hung")

    async def poll(self, call: Call, at: datetime) -> Polled:
        await self.let_go.wait()
        return Unknown("it hung")

    async def poll_many(self, calls: Sequence[Call], at: datetime) -> Mapping[str, Polled]:
        await self.let_go.wait()
        return {}

    async def find(self, call: Call, at: datetime) -> Found:
        return Unknown("it has no list")

    async def cancel(self, call: Call, at: datetime) -> None:
        pass


class Quick(Stuck):
    """One that answers at once."""

    name = "quick"

    async def submit(self, call: Call, at: datetime) -> Submitted:
        return Running(f"quick-{call.generation_id}")

    async def poll(self, call: Call, at: datetime) -> Polled:
        return Running(f"quick-{call.generation_id}")


async def planned(pool: Pool, provider: str, count: int, since: datetime) -> None:
    ask = {"model": "m", "prompt": "p", "num_outputs": 1, "seed": 1, "output_format": None, "input": {}}
    calls = [
        Generation(
            id=uuid4(), job_id=uuid4(), revision=1, number=0, tenant="dev", provider=provider, model="m", outputs=(0,),
            ask=ask, cost_units=1, deadline=None,
        )
        for _ in range(count)
    ]  # fmt: skip
    async with pool.acquire() as connection, connection.transaction():
        await gates.add(connection, calls, since)


@asynccontextmanager
async def at_work(pool: Pool, *providers: Provider) -> AsyncIterator[None]:
    """A generator that has these."""
    by_name = {provider.name: provider for provider in providers}
    store = Store(pool, "generator", "generator-0", dict.fromkeys(by_name))
    shares = Shares(store, by_name, lambda some: Worker(some, by_name, POLICY, LEASE, utc_now, doorbell), lambda: None)
    stopping = asyncio.Event()
    loops = asyncio.gather(*(loop(stopping) for loop in shares.loops))
    try:
        yield
    finally:
        stopping.set()
        await loops


async def until_moved(pool: Pool, provider: str) -> None:
    """Until some call of this provider was claimed."""
    claimed = "SELECT EXISTS (SELECT FROM generations WHERE provider = $1 AND fence > 0)"
    async with asyncio.timeout(ENOUGH):
        while not await pool.fetchval(claimed, provider):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("state = 'PENDING'", id="to make"),
        pytest.param("state = 'SUBMITTED', attempt = 1, provider_id = id, submitted_at = now()", id="with news"),
        pytest.param(
            "state = 'SUBMITTED', attempt = 1, polls = 1, provider_id = id, submitted_at = now()", id="waiting"
        ),
    ],
)
async def test_a_provider_that_hangs_delays_no_others_calls(pool: Pool, state: str) -> None:
    """Its calls were due before, and took every slot."""
    stuck = Stuck()
    await planned(pool, stuck.name, SLOTS + 10, utc_now())
    await planned(pool, "quick", 1, utc_now() + timedelta(hours=1))
    await pool.execute(f"UPDATE generations SET {state}")

    async with at_work(pool, stuck, Quick()):
        try:
            await until_moved(pool, stuck.name)
            await pool.execute("UPDATE generations SET due_at = now() WHERE provider = 'quick'")
            await until_moved(pool, "quick")
        finally:
            stuck.let_go.set()
