"""Tables from the log in the place of the live ones: the same rows, said once, and nobody who reads or folds trips."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from darkroom.local.stack import Stack
from ledger_service import beside
from ledger_service.beside import BusyTablesError
from ledger_service.tables import SCHEMA
from schemas.wire import encode
from stage.database import Pool, new_pool
from tests.integration.ledger_service.small_ledger import SmallLedger, all_sorts_of_jobs, removed_by_age
from tests.pipeline.driver import until


async def said(ledger: SmallLedger, words: str) -> bool:
    return any(words in line for line in ledger.words)


async def described(pool: Pool) -> dict[str, list[str]]:
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
    return {what: sorted(row[0] for row in await pool.fetch(sql)) for what, sql in wanted.items()}


@pytest.fixture(scope="module", autouse=True)
async def as_migrated(servers: Stack) -> AsyncIterator[dict[str, list[str]]]:
    """The tables before anything was rebuilt: the tests before might have left those of a rebuild."""
    async with await new_pool(servers.environ["LEDGER_DATABASE_URL"], schema=SCHEMA, name="test") as pool:
        yield await described(pool)


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


async def test_the_tables_after_a_rebuild_are_those_that_migrations_make(
    as_migrated: dict[str, list[str]], ledger: SmallLedger
) -> None:
    await ledger.read()

    await ledger.rebuild()

    assert await described(ledger.pool) == as_migrated


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
            fact = encode(removed_by_age(job_id), source="ledger")
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
