"""The log folded once more beside a live ledger: the same rows, and a difference is named."""

import random
from uuid import UUID, uuid4

import pytest

from darkroom.local.stack import Stack
from ledger_service import beside, shadow, store
from ledger_service.announce import announcement
from ledger_service.fold import standing
from ledger_service.handlers import TOPICS
from ledger_service.history import SAID, History, places
from ledger_service.rebuild import CannotRebuildError
from schemas.events import Event
from schemas.wire import encode
from tests.builders import a_generated_output, a_request, a_stored_output
from tests.integration.ledger_service.small_ledger import JOBS, SmallLedger, all_sorts_of_jobs, removed_by_age


def generated(job_id: UUID) -> list[Event]:
    return [a_generated_output(job_id=job_id, index=index) for index in range(2)]


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
    removal = removed_by_age(job_id)
    await ledger.pool.execute("DELETE FROM outbox WHERE value = $1", encode(fact, source="ledger").value)
    await ledger.say(fact, removal)  # published since; the ledger has not heard of the removal that it said

    assert (await ledger.check()).comparison.equal


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
