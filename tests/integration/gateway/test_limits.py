"""Requests that several gateways count together, in a real PostgreSQL: exact while it answers, and no worse than alone
while it does not.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from darkroom.local.stack import Stack
from gateway.app import VIEWS
from gateway.callers import DEVELOPER
from gateway.limit_store import PATIENCE, LimitStore
from gateway.limiter import AWAY, Limiter
from gateway.meter import Lease
from gateway.tables import SCHEMA
from stage.database import Pool, new_pool
from tests.unit.gateway.http import calling

REPLICAS = 3


@pytest.fixture
async def stores(servers: Stack) -> AsyncIterator[list[LimitStore]]:
    """The limits of several gateways, each with connections of its own, and nobody counted yet."""
    async with AsyncExitStack() as opened:
        pools: list[Pool] = []
        for number in range(REPLICAS):
            url = servers.environ["GATEWAY_DATABASE_URL"]
            pool = await new_pool(url, schema=f"{VIEWS}, {SCHEMA}", name=f"test-{number}", size=4)
            pools.append(await opened.enter_async_context(pool))
        await pools[0].execute("TRUNCATE gateway.buckets")
        yield [LimitStore(pool) for pool in pools]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine is not a database that is away."""
    for module in ("limiter", "limit_store"):
        monkeypatch.setattr(f"gateway.{module}.PATIENCE", 30)


async def asks_until_refused(limiter: Limiter) -> int:
    """How many requests are let in of one caller who asks as fast as it can."""
    let_in = 0
    while (standing := await limiter.admit(DEVELOPER)) is not None and not standing.retry_after:
        let_in += 1
        if not let_in % 20:
            await asyncio.sleep(0)  # the others ask too
    return let_in


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("per_minute", [300, 12_000])
async def test_gateways_together_let_in_what_one_may_and_not_one_more(
    stores: list[LimitStore], per_minute: int
) -> None:
    limiters = [Limiter(store, per_minute) for store in stores]
    began = time.monotonic()

    counts = await asyncio.gather(*(asks_until_refused(limiter) for limiter in limiters * 4))

    allowed = per_minute * (1 + (time.monotonic() - began) / 60)
    assert per_minute * 0.9 <= sum(counts) <= allowed


@pytest.mark.usefixtures("patient")
async def test_replicas_that_ask_in_the_same_moment_are_never_given_the_same_tokens(stores: list[LimitStore]) -> None:
    began = time.monotonic()

    leases = await asyncio.gather(*(store.lease("one", 600, 3) for _ in range(100) for store in stores))

    allowed = 600 * (1 + (time.monotonic() - began) / 60)
    assert 600 <= sum(lease.tokens for lease in leases) <= allowed
    assert all(lease.tokens <= 3 for lease in leases)


@pytest.mark.usefixtures("patient")
async def test_what_is_given_back_is_there_again_up_to_a_full_bucket(stores: list[LimitStore]) -> None:
    first = await stores[0].lease("one", 6, 4)
    await stores[0].give_back("one", 6, 3)
    second = await stores[1].lease("one", 6, 10)
    await stores[1].give_back("one", 6, 100)
    third = await stores[2].lease("one", 6, 10)

    assert first == Lease(4, 2.0)
    assert (second.tokens, third.tokens) == (5, 6)


@pytest.mark.usefixtures("patient")
async def test_two_gateways_answer_429_with_the_same_limit(stores: list[LimitStore]) -> None:
    async with (
        calling(limits=stores[0], requests_per_minute=5) as one,
        calling(limits=stores[1], requests_per_minute=5) as two,
    ):
        answers = [await client.get("/api/v1/status/nothing") for _ in range(4) for client in (one, two)]

    assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 3
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"requests";q=5;w=60'}
    assert answers[-1].headers["RateLimit"] == f'"requests";r=0;t={answers[-1].headers["Retry-After"]}'
    assert 10 <= int(answers[-1].headers["Retry-After"]) <= 12


async def test_without_postgres_requests_are_let_in_within_the_limit_and_counted_together_again_afterwards(
    servers: Stack, stores: list[LimitStore]
) -> None:
    limiters = [Limiter(store, 60) for store in stores]
    for limiter in limiters:
        await limiter.admit(DEVELOPER)

    await servers.stop("postgres")
    began = time.monotonic()
    alone = [await asks_until_refused(limiter) for limiter in limiters]
    took = time.monotonic() - began
    standing = await limiters[0].admit(DEVELOPER)
    await servers.start("postgres")

    assert all(50 <= count <= 60 + took for count in alone)
    assert standing is not None
    assert standing.retry_after > 0
    async with asyncio.timeout(20):
        while True:  # until a replica uses what the shared bucket gives
            before = await _tokens(stores[0])
            await limiters[0].admit(DEVELOPER)
            if await _tokens(stores[0]) < before:
                break
            await asyncio.sleep(AWAY / 5)


async def test_a_postgres_that_hangs_makes_one_request_wait_and_no_other(stores: list[LimitStore]) -> None:
    limiter = Limiter(stores[0], 600)
    await limiter.admit(DEVELOPER)
    await asyncio.sleep(0)
    async with stores[1]._pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM gateway.buckets FOR UPDATE")
        began = time.monotonic()
        waited = []
        for _ in range(50):
            await limiter.admit(DEVELOPER)
            waited.append(time.monotonic() - began)
            began = time.monotonic()

    assert PATIENCE / 2 <= max(waited) <= PATIENCE * 3
    assert sum(waited) - max(waited) < PATIENCE / 2


async def _tokens(store: LimitStore) -> float:
    found: float = await store._pool.fetchval("SELECT tokens FROM gateway.buckets")
    return found
