"""Processes that fold beside the command: the same tables, whoever folded what; and whoever dies, none is left."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from darkroom.local.stack import Stack
from ledger_service import beside, shadow
from ledger_service.folding import NAME
from ledger_service.handlers import TOPICS
from ledger_service.history import SAID, History, places
from ledger_service.workers import Workers
from stage.settings import KafkaSettings
from tests.integration.ledger_service.small_ledger import JOBS, SmallLedger
from tests.integration.ledger_service.test_rebuild_refused import told
from tests.pipeline.driver import until
from tests.pipeline.operator import ROOT

WITHIN = 30.0  # seconds
PROCESSES = 3


def workers(servers: Stack, **changed: str) -> Workers:
    """As the command makes them when it is told how many processes shall fold."""
    environ = servers.environ | changed
    return Workers(KafkaSettings.model_validate(environ), environ["LEDGER_DATABASE_URL"], PROCESSES)


@asynccontextmanager
async def nobody_copies(ledger: SmallLedger) -> AsyncIterator[None]:
    """Within it, whoever folds comes as far as its first copy into the shadow's tables, which are there."""
    async with ledger.session() as holding, holding.transaction():
        await holding.execute(f"LOCK TABLE {shadow.SHADOW}.attempts, {shadow.SHADOW}.facts IN SHARE MODE")
        yield


async def stuck(ledger: SmallLedger) -> list[int]:
    """The workers that wait to copy."""
    rows = await ledger.pool.fetch(
        "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE $1 AND wait_event_type = 'Lock'",
        f"{NAME}-%",
    )
    return [int(row["application_name"].rpartition("-")[2]) for row in rows]


async def every_worker_is_stuck(ledger: SmallLedger) -> bool:
    return len(await stuck(ledger)) == PROCESSES - 1


def alive(pid: int) -> bool:
    """Whether it does anything. Whoever has inherited it may never ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_tables_that_three_processes_filled_in_shares_are_those_of_one(
    servers: Stack, ledger: SmallLedger
) -> None:
    await ledger.read()
    await ledger.relay()
    ends = await ledger.log.ends(places(*TOPICS, SAID))
    async with ledger.session() as connection:
        await shadow.make(connection)
        history = History(connection, ledger.log, ledger.words.append, workers(servers), limit=2_000)
        async with nobody_copies(ledger):
            folding = asyncio.create_task(history.fold_to(ends))
            await until(lambda: every_worker_is_stuck(ledger), WITHIN, "each process to have its part")
        await folding
        async with connection.transaction():
            compared = await beside.compare(connection)
        await shadow.drop(connection)

    assert compared.differences == {}
    assert compared.rebuilt["jobs"].rows >= JOBS
    assert history.facts == compared.rebuilt["facts"].rows


async def test_what_a_worker_cannot_do_is_raised_as_if_it_were_our_own_fault(
    servers: Stack, ledger: SmallLedger
) -> None:
    nowhere = servers.environ["LEDGER_DATABASE_URL"].replace("/darkroom", "/nowhere")
    async with ledger.session() as connection:
        await shadow.make(connection)
        history = History(connection, ledger.log, ledger.words.append, workers(servers, LEDGER_DATABASE_URL=nowhere))
        with pytest.raises(asyncpg.InvalidCatalogNameError, match="nowhere"):
            await history.fold_to(await ledger.log.ends(places(*TOPICS, SAID)))
        await shadow.drop(connection)


@asynccontextmanager
async def a_rebuild_that_is_stuck(servers: Stack, ledger: SmallLedger) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, once all its processes wait to copy; they go on at the end of the block."""
    async with ledger.session() as first:
        holding = first.transaction()
        await holding.start()
        await first.execute("LOCK TABLE facts IN ACCESS EXCLUSIVE MODE")  # which it reads once its own are there
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "darkroom", "ledger", "rebuild", "--processes", str(PROCESSES),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **told(servers)}, cwd=servers.home,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, preexec_fn=hears_ctrl_c,
        )  # fmt: skip
        await until(lambda: shadow_is_there(ledger), WITHIN, "the command to have tables of its own")
        async with nobody_copies(ledger):
            await holding.rollback()
            await until(lambda: every_worker_is_stuck(ledger), WITHIN, "each process to have its part")
            yield process


def hears_ctrl_c() -> None:
    """As at a terminal, also where these tests run in the background of a shell, which has them ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def shadow_is_there(ledger: SmallLedger) -> bool:
    return bool(await ledger.pool.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{shadow.SHADOW}.facts"))


async def test_a_rebuild_whose_worker_is_killed_says_so_and_changes_nothing(
    servers: Stack, ledger: SmallLedger
) -> None:
    await ledger.read()
    await ledger.pool.execute("UPDATE jobs SET prompt = 'another'")
    before = await ledger.rows()

    async with a_rebuild_that_is_stuck(servers, ledger) as process:
        pids = await stuck(ledger)
        os.kill(pids[0], signal.SIGKILL)
        await until(lambda: all_dead(pids), WITHIN, "the others to be ended")
    _, err = await process.communicate()
    left = await ledger.pool.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = $1", shadow.SHADOW)
    after = await ledger.rows()
    again = await ledger.rebuild()

    assert process.returncode == 1
    assert "a process that folded a part of the log has ended too early, with -9. Nothing was changed" in err.decode()
    assert (after, left) == (before, 0)
    assert set(again.comparison.differences) == {"jobs"}
    assert (await ledger.check()).comparison.equal


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_no_worker_outlives_its_command(servers: Stack, ledger: SmallLedger, how: signal.Signals) -> None:
    async with a_rebuild_that_is_stuck(servers, ledger) as process:
        pids = await stuck(ledger)
        process.send_signal(how)
        await until(lambda: all_dead(pids), WITHIN, "the workers to end")
    await process.communicate()

    assert process.returncode != 0
    await until(lambda: nobody_has_a_turn(ledger), WITHIN, "the command's session to end")
    assert (await ledger.check()).comparison.equal


async def all_dead(pids: list[int]) -> bool:
    return not any(map(alive, pids))


async def nobody_has_a_turn(ledger: SmallLedger) -> bool:
    async with ledger.session() as connection:
        return await shadow.take_turn(connection)
