"""The log folded once more beside a live ledger: the same rows, and a difference is named."""

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from darkroom.local.stack import Stack
from ledger_service import beside, shadow, store
from ledger_service.announce import announcement
from ledger_service.beside import BusyTablesError
from ledger_service.fold import standing
from ledger_service.handlers import TOPICS
from ledger_service.history import SAID, History, places
from ledger_service.rebuild import CannotRebuildError
from schemas.events import DataRemoved, Event
from schemas.wire import encode
from stage.database import new_pool
from tests.builders import a_generated_output, a_request, a_stored_output, later
from tests.integration.ledger_service.small_ledger import SmallLedger, all_sorts_of_jobs
from tests.pipeline.driver import until

JOBS = 35


def generated(job_id: UUID) -> list[Event]:
    return [a_generated_output(job_id=job_id, index=index) for index in range(2)]


def removed(job_id: UUID) -> Event:
    return DataRemoved.say(job_id, "dev", later(99), reason="age")


async def said(ledger: SmallLedger, words: str) -> bool:
    return any(words in line for line in ledger.words)


async def described(ledger: SmallLedger) -> dict[str, list[str]]:
    """The tables of the ledger and its views, with all that PostgreSQL knows of them."""
    wanted = {
        "columns": """
            SELECT concat_ws(' ', attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull,
                             pg_get_expr(adbin, adrelid))
            FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'ledger'::regnamespace
                                              AND relkind = 'r')
        """,
        "constraints": """
            SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
            WHERE connamespace = 'ledger'::regnamespace
        """,
        "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'ledger'",
        "views": """
            SELECT concat_ws(' ', oid, relname, relowner::regrole, relacl, pg_get_viewdef(oid)) FROM pg_class
            WHERE relnamespace = 'ledger_v1'::regnamespace
        """,
    }
    return {what: sorted(row[0] for row in await ledger.pool.fetch(sql)) for what, sql in wanted.items()}


@pytest.fixture
async def ledger(servers: Stack) -> AsyncIterator[SmallLedger]:
    """An empty ledger before what the tests before it have said, and this one's jobs."""
    async with SmallLedger.open(servers) as ledger:
        await ledger.say(*all_sorts_of_jobs(JOBS))
        yield ledger


@pytest.mark.parametrize("seed", range(3))
async def test_a_ledger_that_heard_facts_twice_and_in_any_order_is_what_the_log_says(servers: Stack, seed: int) -> None:
    dice = random.Random(seed)
    said = all_sorts_of_jobs(JOBS, seed)
    said += dice.sample(said, len(said) // 5)
    dice.shuffle(said)
    async with SmallLedger.open(servers) as ledger:
        await ledger.say(*said)
        await ledger.read(seed)
        waiting = await ledger.check()
        await ledger.relay()
        told = await ledger.check()

    assert (waiting.comparison.differences, told.comparison.differences) == ({}, {})
    assert told.comparison.equal
    assert told.comparison.rebuilt["jobs"].rows >= JOBS


async def test_a_check_compares_to_exactly_where_the_ledger_has_read(ledger: SmallLedger) -> None:
    await ledger.read(least=0.5)
    half = await ledger.check()
    await ledger.read()
    all_of_it = await ledger.check()

    assert half.comparison.equal
    assert all_of_it.comparison.equal
    assert 0 < half.facts < all_of_it.facts


async def test_a_ledger_that_is_told_to_read_again_is_still_what_the_log_says(ledger: SmallLedger) -> None:
    await ledger.read()
    await ledger.pool.execute("UPDATE offsets SET next = 0")
    at_once = await ledger.check()
    await ledger.read(least=0.5)
    meanwhile = await ledger.check()
    await ledger.read()

    assert at_once.comparison.equal
    assert meanwhile.comparison.equal
    assert (await ledger.check()).comparison.equal
    assert at_once.facts == meanwhile.facts


async def test_a_check_changes_nothing_and_leaves_nothing_behind(ledger: SmallLedger) -> None:
    await ledger.read()
    before = (await ledger.rows(), await ledger.outbox(), await ledger.pool.fetch("TABLE offsets"))

    result = await ledger.check()

    left = await ledger.pool.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = $1", shadow.SHADOW)
    assert (await ledger.rows(), await ledger.outbox(), await ledger.pool.fetch("TABLE offsets")) == before
    assert (result.told, left) == (0, 0)


@pytest.mark.parametrize(
    ("damage", "table", "rows"),
    [
        ("UPDATE jobs SET prompt = 'another' WHERE job_id = $1", "jobs", 1),
        ("UPDATE jobs SET announced = 0 WHERE job_id = $1", "jobs", 1),
        ("UPDATE jobs SET removal_said = 1 WHERE job_id = $1", "jobs", 1),
        ("UPDATE outputs SET width = 1 WHERE job_id = $1", "outputs", 2),
        ("DELETE FROM outputs WHERE job_id = $1 AND index = 1", "outputs", 1),
        ("UPDATE attempts SET ended_at = ended_at + interval '1 microsecond' WHERE job_id = $1", "attempts", 3),
        ("DELETE FROM facts WHERE job_id = $1 AND topic = 'job.requested'", "facts", 1),
    ],
)
async def test_a_row_that_the_log_does_not_explain_is_found(
    ledger: SmallLedger, damage: str, table: str, rows: int
) -> None:
    request = a_request(num_outputs=2, job_id=(job_id := uuid4()))
    await ledger.say(request, *(a_stored_output(job_id=job_id, index=index) for index in range(2)))
    await ledger.say(*generated(job_id))
    await ledger.read()
    await ledger.relay()
    await ledger.pool.execute(damage, job_id)

    found = await ledger.check()

    assert not found.comparison.equal
    assert {name: (each.rows, list(each.jobs)) for name, each in found.comparison.differences.items()} == {
        table: (rows, [job_id])
    }


async def test_jobs_that_do_not_fit_into_memory_are_folded_in_shares(ledger: SmallLedger) -> None:
    await ledger.read()
    ends = await ledger.log.ends(places(*TOPICS, SAID))

    async with ledger.session() as connection:
        await shadow.make(connection)
        history = History(connection, ledger.log, ledger.words.append, limit=60_000)
        await history.fold_to(ends)
        async with connection.transaction():
            compared = await beside.compare(connection)
        await shadow.drop(connection)

    facts = await ledger.pool.fetchval("SELECT count(*) FROM facts")
    assert {table: each for table, each in compared.differences.items() if table != "jobs"} == {}
    assert compared.rebuilt["jobs"].rows == compared.live["jobs"].rows
    assert history.facts == facts


async def test_a_damaged_ledger_is_rebuilt_and_says_nothing_again(ledger: SmallLedger) -> None:
    await ledger.read()
    await ledger.relay()
    before, announced = await ledger.rows(), await ledger.announced()
    await ledger.pool.execute("DELETE FROM outputs WHERE index > 0")
    await ledger.pool.execute("UPDATE jobs SET status = 'PENDING', completed_at = NULL, announced = 0")

    result = await ledger.rebuild()

    assert set(result.comparison.differences) == {"jobs", "outputs"}
    assert await ledger.rows() == before
    assert (result.told, await ledger.outbox(), await ledger.announced()) == (0, [], announced)
    assert (await ledger.check()).comparison.equal


async def test_a_ledger_that_lost_everything_is_rebuilt_and_goes_on(ledger: SmallLedger) -> None:
    await ledger.read()
    await ledger.relay()
    before = await ledger.rows()
    await ledger.pool.execute("TRUNCATE jobs, outputs, attempts, facts, offsets")

    result = await ledger.rebuild()
    rebuilt, waiting = await ledger.rows(), await ledger.outbox()
    await ledger.say(*all_sorts_of_jobs(7, seed=9))
    await ledger.read()

    assert rebuilt == before
    assert (result.told, waiting) == (0, [])
    assert (await ledger.check()).comparison.equal


async def test_what_nobody_was_told_is_told_once_by_a_rebuild(ledger: SmallLedger) -> None:
    await ledger.read()
    lost = await ledger.outbox()
    await ledger.pool.execute("TRUNCATE jobs, outputs, attempts, facts, offsets, outbox")

    first, said = await ledger.rebuild(), await ledger.outbox()
    again, waiting = await ledger.rebuild(), await ledger.outbox()
    await ledger.relay()
    relayed, left = await ledger.rebuild(), await ledger.outbox()

    assert first.told == len(said) > 0
    assert set(said) <= set(lost)
    assert (again.told, waiting) == (0, said)
    assert (relayed.told, left) == (0, [])


async def test_a_check_never_tells_what_nobody_was_told(ledger: SmallLedger) -> None:
    await ledger.read()
    await ledger.pool.execute("TRUNCATE outbox")

    result = await ledger.check()

    assert set(result.comparison.differences) == {"jobs"}
    assert (result.told, await ledger.outbox()) == (0, [])


async def test_what_the_ledger_says_right_now_is_no_difference(ledger: SmallLedger) -> None:
    await ledger.read()
    job_id = await ledger.pool.fetchval("SELECT job_id FROM jobs WHERE completed_at IS NOT NULL LIMIT 1")
    await ledger.pool.execute("UPDATE jobs SET removal_said = 1 WHERE job_id = $1", job_id)
    async with ledger.pool.acquire() as connection:
        [job] = (await store.load(connection, [job_id])).values()
        job.announced = 0
        fact = announcement(job, standing(job))
    assert fact is not None
    removal = removed(job_id)
    await ledger.pool.execute("DELETE FROM outbox WHERE value = $1", encode(fact, source="ledger").value)
    await ledger.say(fact, removal)  # published since; the ledger has not heard of the removal that it said

    assert (await ledger.check()).comparison.equal


async def test_the_tables_after_a_rebuild_are_those_that_migrations_make(ledger: SmallLedger) -> None:
    await ledger.read()
    before = await described(ledger)

    await ledger.rebuild()

    assert await described(ledger) == before


async def test_the_gateways_role_reads_the_new_tables_through_statements_of_before(
    servers: Stack, ledger: SmallLedger
) -> None:
    await ledger.read()
    counted = "SELECT count(*) FROM ledger_v1.jobs"
    job_id = await ledger.pool.fetchval("SELECT job_id FROM outputs LIMIT 1")
    asked = "SELECT * FROM ledger_v1.outputs WHERE job_id = $1"
    url = servers.environ["GATEWAY_DATABASE_URL"]
    async with await new_pool(url, schema="ledger_v1", name="reader") as reader:
        before = await reader.fetchval(counted), await reader.fetch(asked, job_id)
        await ledger.pool.execute("UPDATE outputs SET s3_key = NULL, sha256 = NULL, status = 'PENDING'")
        damaged = await reader.fetch(asked, job_id)

        await ledger.rebuild()

        after = await reader.fetchval(counted), await reader.fetch(asked, job_id)

    assert damaged != before[1]
    assert after == before


async def test_a_ledger_that_folds_while_it_is_rebuilt_goes_on_in_the_new_tables(ledger: SmallLedger) -> None:
    await ledger.read()
    await ledger.relay()

    async def live() -> None:
        for seed in range(10):
            await ledger.say(*all_sorts_of_jobs(7, seed=100 + seed))
            await ledger.read(seed)
            await ledger.relay()

    results = []

    async def rebuilding(writing: asyncio.Task[None]) -> None:
        while not writing.done():
            results.append(await ledger.rebuild())

    writing = asyncio.create_task(live())
    await rebuilding(writing)
    await writing

    assert [result.comparison.differences for result in results] == [{}] * len(results)
    assert sum(result.told for result in results) == 0
    assert (await ledger.check()).comparison.equal


async def test_a_rebuild_waits_for_whoever_folds_and_forgets_nothing_of_it(ledger: SmallLedger) -> None:
    await ledger.read(least=0.5)
    async with ledger.pool.acquire() as folding:
        async with folding.transaction():
            await folding.execute("SELECT * FROM offsets FOR UPDATE")
            rebuilding = asyncio.create_task(ledger.rebuild())
            await until(lambda: said(ledger, "swapping"), 30, "the rebuild to want the tables")
            waits = not rebuilding.done()
            await folding.execute("UPDATE jobs SET updated_at = updated_at")
        result = await rebuilding

    assert waits
    assert result.comparison.equal
    assert (await ledger.check()).comparison.equal


async def test_a_removal_that_is_said_during_a_rebuild_is_remembered(ledger: SmallLedger) -> None:
    await ledger.read()
    job_id = await ledger.pool.fetchval("SELECT job_id FROM jobs WHERE completed_at IS NOT NULL AND removal_said = 0")

    async with ledger.pool.acquire() as remover:
        async with remover.transaction():
            await remover.execute("UPDATE jobs SET removal_said = 1 WHERE job_id = $1", job_id)
            rebuilding = asyncio.create_task(ledger.rebuild())
            await until(lambda: said(ledger, "swapping"), 30, "the rebuild to want the tables")
            fact = encode(removed(job_id), source="ledger")
            await remover.execute(
                "INSERT INTO outbox (topic, partition, key, value, headers) VALUES ($1, $2, $3, $4, '[]')",
                fact.topic, fact.partition, fact.key, fact.value,
            )  # fmt: skip
        await rebuilding

    assert await ledger.pool.fetchval("SELECT removal_said FROM jobs WHERE job_id = $1", job_id) == 1


async def test_somebody_who_reads_for_long_keeps_the_old_tables(
    ledger: SmallLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "LOCK_TRIES", 2)
    await ledger.read()
    await ledger.pool.execute("UPDATE jobs SET prompt = 'another'")
    before = await ledger.rows()

    async with ledger.pool.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT * FROM ledger_v1.jobs")
        with pytest.raises(BusyTablesError, match="long transaction"):
            await ledger.rebuild()

    assert await ledger.rows() == before


async def test_two_at_a_time_are_refused(ledger: SmallLedger) -> None:
    await ledger.read()

    async with ledger.session() as other:
        assert await shadow.take_turn(other)
        with pytest.raises(CannotRebuildError, match="another check or rebuild is running"):
            await ledger.check()


async def test_what_a_killed_command_left_is_dropped_by_the_next(ledger: SmallLedger) -> None:
    await ledger.read()
    async with ledger.session() as killed:
        await shadow.make(killed)
        await killed.execute("INSERT INTO ledger_rebuild.facts SELECT * FROM facts")

    assert (await ledger.check()).comparison.equal
