"""Which jobs' data are said to be removed by age, on a real PostgreSQL: each once, and none too soon."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from darkroom.local.home import make_home
from darkroom.local.ports import claim
from darkroom.local.services import service_part
from darkroom.local.stack import Stack, silent
from darkroom.local.supervisor import Supervisor
from ledger_service.handlers import on_facts
from ledger_service.removal import BATCH_JOBS, Remover
from ledger_service.store import MARK_OLD
from ledger_service.tables import SCHEMA
from schemas.events import DataRemoved, Event
from schemas.wire import Position, decode
from stage.database import Pool, new_pool
from stage.heard import Heard
from tests.builders import NOON, a_failed_generation, a_request, a_retry, a_stored_output, at, later
from tests.pipeline.driver import until

DAY = timedelta(days=1)
AGES = {"acme": DAY, "*": 3 * DAY}


@pytest.fixture
async def pool(servers: Stack) -> AsyncIterator[Pool]:
    """The ledger's tables, empty."""
    async with await new_pool(servers.environ["LEDGER_DATABASE_URL"], schema=SCHEMA, name="test", size=8) as pool:
        await pool.execute("TRUNCATE jobs, outputs, attempts, facts, outbox")
        yield pool


async def hear(pool: Pool, *events: Event) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await on_facts(connection, [Heard(at(event), event) for event in events])
        await connection.execute("DELETE FROM outbox")  # what is announced is no matter here


async def a_finished_job(pool: Pool, tenant: str = "acme") -> UUID:
    """A job that ended at noon."""
    job_id = uuid4()
    whose = {"job_id": job_id, "tenant": tenant}
    await hear(pool, a_request(**whose), a_stored_output(**whose))
    return job_id


def a_remover(pool: Pool, after: timedelta, ages: dict[str, timedelta] | None = None) -> Remover:
    """One whose clock stands so long after noon."""
    return Remover(pool, AGES if ages is None else ages, lambda: NOON + after, said=lambda: None)


async def said(pool: Pool) -> list[DataRemoved]:
    """What waits in the outbox."""
    found = []
    for row in await pool.fetch("SELECT * FROM outbox ORDER BY id"):
        fact = decode(Position(row["topic"], row["partition"], 0), row["key"], row["value"], json.loads(row["headers"]))
        assert isinstance(fact, DataRemoved)
        found.append(fact)
    return found


async def test_a_job_that_is_old_enough_is_said_once(pool: Pool) -> None:
    job_id = await a_finished_job(pool)

    counts = [await a_remover(pool, DAY + timedelta(seconds=1)).say_some() for _ in range(2)]

    [fact] = await said(pool)
    assert counts == [1, 0]
    assert (fact.job_id, fact.tenant, fact.revision, fact.reason) == (job_id, "acme", 1, "age")


async def test_a_job_is_kept_until_its_tenants_age(pool: Pool) -> None:
    acmes, others = await a_finished_job(pool), await a_finished_job(pool, "dev")

    seen = {}
    for hours in (23, 25, 71, 73):
        await a_remover(pool, timedelta(hours=hours)).say_some()
        seen[hours] = [fact.job_id for fact in await said(pool)]

    assert seen == {23: [], 25: [acmes], 71: [acmes], 73: [acmes, others]}


async def test_tenants_of_whom_nothing_is_told_keep_their_data(pool: Pool) -> None:
    await a_finished_job(pool, "dev")

    assert await a_remover(pool, 900 * DAY, {"acme": DAY}).say_some() == 0


async def test_a_job_that_is_not_over_is_never_old(pool: Pool) -> None:
    await hear(pool, a_request(tenant="acme"))

    assert await a_remover(pool, 900 * DAY).say_some() == 0


async def test_a_removal_that_was_heard_is_not_said_again(pool: Pool) -> None:
    job_id = await a_finished_job(pool)
    await hear(pool, DataRemoved.say(job_id, "acme", later(60), revision=1, reason="request"))

    assert await a_remover(pool, 900 * DAY).say_some() == 0


async def test_a_later_revision_grows_old_for_itself(pool: Pool) -> None:
    job_id = await a_finished_job(pool)
    await a_remover(pool, 2 * DAY).say_some()
    whose = {"job_id": job_id, "tenant": "acme", "revision": 2}
    late = {**whose, "occurred_at": NOON + 2 * DAY}

    await hear(pool, a_retry(**whose), a_failed_generation(**late))
    counts = [await a_remover(pool, days * DAY).say_some() for days in (2, 4)]

    assert counts == [0, 1]
    assert [fact.revision for fact in await said(pool)] == [2]  # the first left with what was announced


async def test_facts_heard_while_a_removal_is_said_do_not_have_it_said_again(pool: Pool) -> None:
    job_id = await a_finished_job(pool)

    async def waiting() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    again = a_stored_output(job_id=job_id, tenant="acme", occurred_at=later(9))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM jobs FOR UPDATE")  # the fold has it, so that both write it at once
        telling = asyncio.create_task(on_facts_unseen(pool, Heard(at(again, 5), again)))
        await until(waiting, 10, "the fold to wait for the row")
        await connection.execute("UPDATE jobs SET removal_said = revision")

    await telling

    assert await pool.fetchval("SELECT removal_said FROM jobs") == 1


async def on_facts_unseen(pool: Pool, heard: Heard) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await on_facts(connection, [heard])


async def test_several_ledgers_say_each_job_once(pool: Pool) -> None:
    jobs = {await a_finished_job(pool, f"tenant-{number % 7}") for number in range(100)}

    async def all_of_them() -> None:
        while await a_remover(pool, 9 * DAY).say_some():
            pass

    await asyncio.gather(*(all_of_them() for _ in range(4)))

    facts = await said(pool)
    assert (len(facts), {fact.job_id for fact in facts}) == (100, jobs)


async def test_a_long_queue_is_said_in_batches_until_it_is_done(pool: Pool) -> None:
    await many_finished_jobs(pool, BATCH_JOBS + 20)
    stopping, wakes = asyncio.Event(), list[None]()

    def woken() -> None:
        wakes.append(None)
        if len(wakes) == 2:
            stopping.set()

    async with asyncio.timeout(20):
        await Remover(pool, AGES, lambda: NOON + 9 * DAY, said=woken).run(stopping)

    assert len(await said(pool)) == BATCH_JOBS + 20


async def test_a_ledger_says_old_jobs_and_then_forgets_their_data(servers: Stack, pool: Pool) -> None:
    job_id = await a_finished_job(pool)
    told = servers.environ | {"LEDGER_REMOVE_AFTER": "acme=30d"}
    home = servers.home / "ledger"
    make_home(home)
    supervisor = Supervisor(home, silent)

    async def forgotten() -> bool:
        row = await pool.fetchrow("SELECT prompt, data_removed_at FROM jobs WHERE job_id = $1", job_id)
        return row is not None and row["prompt"] == "" and row["data_removed_at"] is not None

    try:
        await supervisor.start(service_part("ledger-1", "ledger", claim("ledger"), told), 0)
        await until(forgotten, 30, f"the data of job {job_id} to be forgotten")
    finally:
        await supervisor.stop()


async def test_old_jobs_are_found_by_an_index(pool: Pool) -> None:
    await many_finished_jobs(pool, 2_000)

    plan = await pool.fetch(f"EXPLAIN (ANALYZE) {MARK_OLD}", ["acme"], [NOON], NOON, 500)

    lines = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "Seq Scan" not in lines
    assert (lines.count("using jobs_to_remove"), "on jobs_pkey" in lines) == (3, True)


async def many_finished_jobs(pool: Pool, count: int) -> None:
    """So many jobs that ended at noon."""
    facts: list[Event] = []
    for _ in range(count):
        whose = {"job_id": uuid4(), "tenant": "acme"}
        facts += [a_request(**whose), a_stored_output(**whose)]
    async with pool.acquire() as connection, connection.transaction():
        await on_facts(connection, [Heard(Position(f.topic, at(f).partition, n), f) for n, f in enumerate(facts)])
        await connection.execute("DELETE FROM outbox")
