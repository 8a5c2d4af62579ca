"""The rows that facts leave in a real PostgreSQL: the same in whatever order and batches they are heard."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from itertools import permutations
from typing import Any

import pytest

from darkroom.local.stack import Stack
from ledger_service.handlers import on_facts
from ledger_service.store import ATTEMPT, FACT, JOB_COLUMNS, OUTPUT_COLUMNS
from ledger_service.tables import SCHEMA
from schemas.events import Event
from stage import offsets
from stage.database import Connection, Pool, new_pool
from stage.heard import Heard
from tests.builders import (
    JOB,
    a_doubt,
    a_failed_generation,
    a_failed_upload,
    a_generated_output,
    a_removal,
    a_request,
    a_stored_output,
    a_submission,
    later,
)
from tests.pipeline.driver import until
from tests.unit.ledger_service.histories import a_renewal, in_the_log

TABLES = ("jobs", "outputs", "attempts")


@pytest.fixture
async def pool(servers: Stack) -> AsyncIterator[Pool]:
    """The ledger's tables, empty."""
    async with await new_pool(servers.environ["LEDGER_DATABASE_URL"], schema=SCHEMA, name="test", size=4) as pool:
        await pool.execute("TRUNCATE jobs, outputs, attempts, facts, outbox")
        yield pool


async def hear(pool: Pool, batches: Sequence[Sequence[Heard]]) -> dict[str, list[str]]:
    """The rows of an empty ledger that hears these batches."""
    await pool.execute("TRUNCATE jobs, outputs, attempts, facts, outbox")
    for batch in batches:
        async with pool.acquire() as connection, connection.transaction():
            await on_facts(connection, batch)
    return {
        table: [row["row"] for row in await pool.fetch(f"SELECT t::text AS row FROM {table} AS t ORDER BY 1")]
        for table in TABLES
    }


def facts(*events: Event) -> list[Heard]:
    return [Heard(said.position, said.event) for said in in_the_log(events)]


REMOVED = facts(
    a_request(prompt="hush", input={"hush": 1}, seed=7, max_attempts=2, deadline=later(900)),
    a_generated_output(occurred_at=later(1)), a_stored_output(occurred_at=later(2)), a_removal(occurred_at=later(3)),
)  # fmt: skip
TROUBLED = facts(
    a_request(num_outputs=2),
    a_doubt(outputs=(0, 1), occurred_at=later(1)), a_doubt(outputs=(0, 1), held=True, occurred_at=later(2)),
    a_submission(outputs=(0, 1), occurred_at=later(3)),
    a_failed_generation(outputs=(0, 1), final=False, occurred_at=later(4)),
    a_generated_output(attempt=2, occurred_at=later(5)), a_failed_upload(final=False, occurred_at=later(6)),
    a_renewal(1, attempt=2, occurred_at=later(7)), a_doubt(attempt=2, outputs=(0, 1), occurred_at=later(8)),
)  # fmt: skip


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
async def test_removed_data_leave_the_same_rows_in_every_order(pool: Pool, order: tuple[int, ...]) -> None:
    said = [REMOVED[place] for place in order]

    rows = await hear(pool, [[fact] for fact in said])

    assert rows == await hear(pool, [REMOVED])
    assert "hush" not in str(rows)
    assert "replicate.delivery" not in str(rows)
    [job] = await pool.fetch("SELECT * FROM ledger_v1.jobs")
    assert (job["prompt"], job["input"], job["seed"], job["max_attempts"]) == ("", {}, 7, 2)
    assert (job["deadline"], job["data_removed_at"], job["removed_revision"]) == (later(900), later(3), 1)
    assert job["status"] == "COMPLETED"


@pytest.mark.parametrize("seed", range(20))
async def test_troubles_leave_the_same_rows_in_every_order_and_batching(pool: Pool, seed: int) -> None:
    dice = random.Random(seed)
    said = [*TROUBLED, *dice.sample(TROUBLED, 3)]
    dice.shuffle(said)
    cuts = sorted(dice.sample(range(1, len(said)), 3))

    rows = await hear(pool, [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)])

    assert rows == await hear(pool, [TROUBLED])


async def test_the_views_show_why_an_output_is_not_further(pool: Pool) -> None:
    await hear(pool, [TROUBLED])

    first, second = await pool.fetch("SELECT * FROM ledger_v1.outputs WHERE job_id = $1 ORDER BY index", JOB)
    running = await pool.fetchval("SELECT provider FROM attempts WHERE result = 'RUNNING' AND subject = 0")

    assert (first["phase"], first["cause"]) == ("storing", "storage_failed: the store is away")
    assert first["media_url"] == "https://replicate.delivery/1"
    assert (second["phase"], second["status"]) == ("reconciling", "PROCESSING")
    assert "is looked for: reset" in second["cause"]
    assert running is None


async def test_a_repeat_after_a_removal_brings_nothing_back(pool: Pool) -> None:
    once = await hear(pool, [REMOVED])

    again: list[Any] = [REMOVED, [REMOVED[0]], [REMOVED[1], REMOVED[2]]]

    assert await hear(pool, again) == once


@pytest.mark.parametrize(
    ("written", "columns"),
    [("jobs", JOB_COLUMNS), ("outputs", OUTPUT_COLUMNS), ("attempts", ATTEMPT), ("facts", FACT)],
)
async def test_a_row_is_sent_in_the_order_of_its_type(pool: Pool, written: str, columns: Sequence[str]) -> None:
    rows = await pool.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass ORDER BY attnum", f"written_{written}"
    )

    assert tuple(row["attname"] for row in rows) == tuple(columns)


@pytest.mark.parametrize("table", ["jobs", "outputs", "attempts", "facts"])
async def test_a_row_is_sent_with_every_column_that_its_table_has(pool: Pool, table: str) -> None:
    kinds = "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attname"

    assert await pool.fetch(kinds, f"written_{table}") == await pool.fetch(kinds, table)


async def test_two_ledgers_that_each_hear_half_of_a_job_at_once_know_all_of_it(pool: Pool) -> None:
    halves = facts(a_request()), facts(a_generated_output())
    await pool.execute("TRUNCATE offsets")
    async with pool.acquire() as connection:
        await offsets.begin(connection, dict.fromkeys(((topic, 3) for topic in HALVES), 0), "a cluster")

    async with pool.acquire() as connection:
        async with connection.transaction():
            await _hear_half(connection, HALVES[0], halves[0])
            second = asyncio.create_task(_hear_other_half(pool, halves[1]))
            await until(lambda: _somebody_waits(pool), 10, "the second ledger to wait for the first")
        await second

    job = await pool.fetchrow("SELECT model, (SELECT count(media_url) FROM outputs) AS generated FROM jobs")
    assert job is not None
    assert (job["model"], job["generated"]) == (a_request().model, 1)


HALVES = (a_request().topic, a_generated_output().topic)


async def _hear_half(connection: Connection, topic: str, half: Sequence[Heard]) -> None:
    await offsets.lock(connection, [(topic, 3)])
    await on_facts(connection, half)


async def _hear_other_half(pool: Pool, half: Sequence[Heard]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await _hear_half(connection, HALVES[1], half)


async def _somebody_waits(pool: Pool) -> bool:
    return bool(await pool.fetchval("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)"))
