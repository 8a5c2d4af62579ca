"""A real PostgreSQL that takes connections and says nothing, is slow, or writes nothing: requests wait a moment only.

Every question here takes a connection that is open already, and 30 s without the limits of our own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from starlette.datastructures import Headers

import gateway.status
import gateway.store
import stage.database
from darkroom.local.stack import Stack
from darkroom.steps import ADMIN_DATABASE
from gateway.app import VIEWS
from gateway.callers import DEVELOPER
from gateway.doors import FRESH, KeyDoor
from gateway.key_store import KeyStore
from gateway.limit_store import PATIENCE, LimitStore
from gateway.limiter import Limiter
from gateway.meter import Lease
from gateway.operations import Operations
from gateway.problems import Problem
from gateway.queue_limit import FRESH_ENOUGH_TO_REFUSE, QueueLimit
from gateway.reuse import KnownRequests
from gateway.store import Store
from gateway.tables import SCHEMA
from stage.database import Pool, closing, new_pool
from tests.builders import a_request
from tests.freezing import frozen
from tests.integration.gateway.keyed import Keyed, a_key, bearing, gateway_tables

CONNECTIONS = 4
MOMENT = 8.0  # seconds: a quarter of what the questions would take, and enough for a machine that is busy


@asynccontextmanager
async def connected(servers: Stack, more: str = "") -> AsyncIterator[Pool]:
    """A gateway's connections, all of them open."""
    url = servers.environ["GATEWAY_DATABASE_URL"] + more
    pool = await new_pool(url, schema=f"{VIEWS}, {SCHEMA}", name="test", size=CONNECTIONS)
    async with closing(pool):
        await asyncio.gather(*(pool.fetchval("SELECT pg_sleep(0.1)") for _ in range(CONNECTIONS)))
        yield pool


@pytest.fixture
async def pool(servers: Stack) -> AsyncIterator[Pool]:
    async with connected(servers) as pool:
        yield pool


class OneMore(LimitStore):
    """Counts one job more than there are."""

    async def waiting(self, tenant: str, most: int) -> int:
        return await super().waiting(tenant, most) + 1


@contextmanager
def at_once() -> Iterator[None]:
    """What is done here takes a moment."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < MOMENT


async def test_a_frozen_postgres_holds_up_no_job_under_a_key_of_the_callers(servers: Stack, pool: Pool) -> None:
    known = KnownRequests(Store(pool))

    with frozen(servers), at_once():
        await known.refuse_another(a_request(job_id=uuid4()))


async def test_a_frozen_postgres_keeps_nobody_at_the_door(servers: Stack, pool: Pool) -> None:
    async with gateway_tables(servers) as tables:
        key = await a_key(Operations(tables), "acme")
    later = 0.0
    door = KeyDoor(KeyStore(pool), lambda: datetime.now(UTC), lambda: time.monotonic() + later)
    headers = Headers(bearing(key))
    await door.admit(headers)

    with frozen(servers), at_once():
        later = FRESH + 1
        first = await door.admit(headers)
        later += 1.5  # asked again: nobody waits for that one
        second = await asyncio.gather(*(door.admit(headers) for _ in range(10)))

    assert {each.tenant for each in (first, *second)} == {"acme"}


async def test_a_frozen_postgres_does_not_keep_a_door_from_closing(servers: Stack, pool: Pool) -> None:
    async with gateway_tables(servers) as tables:
        key = await a_key(Operations(tables), "acme")
    door, stopping = KeyDoor(KeyStore(pool), lambda: datetime.now(UTC)), asyncio.Event()
    await door.admit(Headers(bearing(key)))
    running = asyncio.create_task(door.run(stopping))
    await asyncio.sleep(0)

    with frozen(servers), at_once():
        stopping.set()
        await running


async def test_a_frozen_postgres_fills_no_queue_and_limits_no_caller(servers: Stack, pool: Pool) -> None:
    limits = LimitStore(pool)
    queue, limiter = QueueLimit(limits, 5), Limiter(limits, 100)

    with frozen(servers):
        readers = [asyncio.create_task(pool.fetchval("SELECT 1")) for _ in range(CONNECTIONS)]
        await asyncio.sleep(0)
        with at_once():
            standing = await limiter.admit(DEVELOPER)
            await queue.admit(DEVELOPER, None)
    await asyncio.gather(*readers)

    assert standing is not None
    assert not standing.retry_after


async def test_a_full_queue_whose_count_hangs_lets_in(servers: Stack, pool: Pool) -> None:
    clock = [0.0]
    queue = QueueLimit(OneMore(pool), 1, lambda: clock[0])
    with pytest.raises(Problem):
        await queue.admit(DEVELOPER, None)
    clock[0] += FRESH_ENOUGH_TO_REFUSE * 2

    with frozen(servers), at_once():
        await queue.admit(DEVELOPER, None)


async def test_a_repeat_whose_job_cannot_be_looked_up_is_let_in(servers: Stack, pool: Pool) -> None:
    queue = QueueLimit(OneMore(pool), 1)
    with pytest.raises(Problem):
        await queue.admit(DEVELOPER, None)

    with frozen(servers), at_once():
        await queue.admit(DEVELOPER, uuid4())


async def test_readers_are_told_soon_that_a_frozen_postgres_does_not_answer(
    servers: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (gateway.status, gateway.store):
        monkeypatch.setattr(module, "PATIENCE", PATIENCE)
    async with gateway_tables(servers) as tables:
        key = await a_key(Operations(tables), "acme")
    async with Keyed.open(servers) as called:
        paths = [f"/api/v1/status/{uuid4()}", "/api/v1/jobs", f"/api/v1/jobs/{uuid4()}/history"]
        for path in paths:
            await called.http.get(path, headers=bearing(key))
        with frozen(servers), at_once():
            answers = await asyncio.gather(*(called.http.get(path, headers=bearing(key)) for path in paths * 4))

    assert [answer.status_code for answer in answers] == [503] * len(answers)


async def test_slow_readers_hold_up_no_key(servers: Stack) -> None:
    async with gateway_tables(servers) as tables:
        key, other = [await a_key(Operations(tables), "acme") for _ in range(2)]
    async with Keyed.open(servers) as called:
        await called.http.get("/api/v1/models", headers=bearing(key))
        admin = await asyncpg.connect(servers.environ[ADMIN_DATABASE], database="darkroom")
        try:
            async with admin.transaction():
                await admin.execute("LOCK TABLE ledger.jobs")
                readers = [
                    asyncio.create_task(called.http.get("/api/v1/jobs", headers=bearing(key)))
                    for _ in range(CONNECTIONS * 2)
                ]
                await _until_locked_out(admin)
                answer = await called.http.get("/api/v1/models", headers=bearing(other))
            await asyncio.gather(*readers)
        finally:
            await admin.close()

    assert answer.status_code == 200


async def _until_locked_out(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Return when as many wait for a lock as a gateway has connections to read on."""
    async with asyncio.timeout(4):
        while await admin.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < CONNECTIONS:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_gateway_that_stops_leaves_a_frozen_postgres_behind(
    servers: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.database, "CLOSE_SECONDS", 0.5)
    opened = connected(servers)
    pool = await opened.__aenter__()

    with frozen(servers), at_once():
        reader = asyncio.create_task(pool.fetchval("SELECT 1"))
        await asyncio.sleep(0)
        await opened.__aexit__(None, None, None)
        await asyncio.wait((reader,))

    assert isinstance(reader.exception(), stage.database.PASSING)


async def test_a_standby_ends_no_gateway_and_refuses_nobody(servers: Stack) -> None:
    stopping = asyncio.Event()
    async with connected(servers, "?default_transaction_read_only=on") as pool:
        limiter = Limiter(LimitStore(pool), 100)
        async with gateway_tables(servers) as tables:
            key = await a_key(Operations(tables), "acme")
        door = KeyDoor(KeyStore(pool), lambda: datetime.now(UTC))

        caller = await door.admit(Headers(bearing(key)))
        standing = await limiter.admit(caller)
        limiter._tab(caller, 100).meter.leased(Lease(5, 5.0), time.monotonic())
        stopping.set()
        await limiter.run(stopping)
        await door.write_uses()

    assert standing is not None
    assert not standing.retry_after
