"""What earlier versions left in their tables is whole after today's migrations, and today's code understands it."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from sqlalchemy.engine import make_url

from darkroom.local.stack import Stack
from darkroom.setup import alembic_config, prepare_database
from darkroom.steps import ADMIN_DATABASE, SERVICES, database_setting
from gateway.answers import job_of
from gateway.store import Store as Jobs
from gateway.store import Wanted
from generator_service.operations import Operations
from generator_service.store import Store as Calls
from schemas.clock import utc_now
from stage.database import Pool, new_pool
from tests.upgrades.record import RECORDED
from uploader_service.store import Store as Uploads

Rows = Mapping[str, list[dict[str, Any]]]
FILES = sorted(RECORDED.glob("*.jsonl"))
MINUTE = timedelta(minutes=1)


def rows_of(recorded: Path) -> Rows:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in recorded.read_text().splitlines():
        [(table, row)] = json.loads(line).items()
        rows[table].append(row)
    return rows


@asynccontextmanager
async def upgraded(servers: Stack, recorded: Path) -> AsyncIterator[tuple[dict[str, str], Rows]]:
    """A database as that version left it, brought to today's tables: the roles' URLs, and what was recorded."""
    service, version = recorded.stem.split("-")
    database = f"upgraded_{service}_{version}"
    url = {
        role: make_url(servers.environ[database_setting(role)]).set(database=database).render_as_string(False)
        for role in SERVICES
    }
    await prepare_database(servers.environ[ADMIN_DATABASE], url)
    config = alembic_config(service, url[service])
    await asyncio.to_thread(command.upgrade, config, version)
    rows = rows_of(recorded)
    connection = await asyncpg.connect(url[service], server_settings={"search_path": service})
    for table, there in rows.items():
        names = ", ".join(f'"{name}"' for name in there[0])
        await connection.execute(
            f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE "
            f"SELECT {names} FROM json_populate_recordset(null::{table}, $1)",
            json.dumps(there),
        )
    await connection.close()
    await asyncio.to_thread(command.upgrade, config, "head")
    await asyncio.to_thread(command.check, config)
    yield url, rows


@pytest.mark.parametrize("recorded", FILES, ids=lambda file: file.stem)
async def test_rows_of_an_earlier_version_are_whole_after_the_upgrade_and_are_understood(
    servers: Stack, recorded: Path
) -> None:
    service = recorded.stem.partition("-")[0]
    async with upgraded(servers, recorded) as (url, before):
        connection = await asyncpg.connect(url[service], server_settings={"search_path": service})
        after = {table: await _now(connection, table, list(there[0])) for table, there in before.items()}
        await connection.close()

        assert after == {table: sorted(there, key=str) for table, there in before.items()}
        await UNDERSTOOD[service](url, before)


async def _now(connection: "asyncpg.Connection[asyncpg.Record]", table: str, names: list[str]) -> list[dict[str, Any]]:
    """The rows as they are, of what was recorded of them."""
    rows = await connection.fetch(f"SELECT row_to_json(row) FROM {table} AS row")
    return sorted(({name: json.loads(row[0])[name] for name in names} for row in rows), key=str)


async def jobs_are_shown(url: Mapping[str, str], before: Rows) -> None:
    """The gateway shows each job with the status it had, and lists them all."""
    async with await new_pool(url["gateway"], schema="ledger_v1", name="test") as pool:
        jobs = Jobs(pool)
        known = [await jobs.job(UUID(row["job_id"]), row["tenant"]) for row in before["jobs"]]
        listed = await jobs.jobs("dev", Wanted(), 100)

    shown = [job_of(row) for row in known if row]
    assert [(job.status, len(job.media), job.prompt) for job in shown] == [
        (row["status"], row["num_outputs"], row["prompt"]) for row in before["jobs"]
    ]
    assert {str(row["job_id"]) for row in listed} == {row["job_id"] for row in before["jobs"]}


async def calls_are_neither_lost_nor_repeated(url: Mapping[str, str], before: Rows) -> None:
    """Each call that was under way is looked at; none of them is made anew, and the paused one still waits."""
    states = {row["id"]: row["state"] for row in before["generations"]}
    async with await new_pool(url["generator"], schema="generator", name="test") as pool:
        brakes = [(brake.kind, brake.name, brake.waiting) for brake in await Operations(pool, "test").brakes()]
        held = [str(call.generation_id) for call in await Operations(pool, "test").held()]
        calls, much_later = Calls(pool, "generator", "test", {"fake": None, "replicate": None}), _days_later()
        made = await calls.claim_to_make(100, much_later, MINUTE)
        looked_at = [
            *await calls.claim_to_look_at(100, much_later, MINUTE),
            *await calls.claim_waiting(100, much_later, MINUTE),
        ]

    assert made == []
    assert brakes == [("model", "fake/painter", Counter(states.values())["PENDING"])]
    assert held == [name for name, state in states.items() if state == "HELD"]
    assert {str(claim.call.generation_id) for claim in looked_at} == {
        name for name, state in states.items() if state in ("IN_DOUBT", "SUBMITTED", "HELD")
    }


async def outputs_are_still_stored(url: Mapping[str, str], before: Rows) -> None:
    """What was not stored yet is fetched again by whoever comes, and what was stored is left alone."""
    async with await new_pool(url["uploader"], schema="uploader", name="test") as pool:
        found = await _claimed(pool)

    assert found == {(row["job_id"], row["index"]) for row in before["uploads"] if row["state"] != "STORED"}
    assert found


async def _claimed(pool: Pool) -> set[tuple[str, int]]:
    """Of what its own instance spooled, and of what anybody may fetch again."""
    store, much_later = Uploads(pool, "uploader", "uploader-1", MINUTE), _days_later()
    claims = [
        *await store.claim_to_store(100, much_later, MINUTE),
        *await store.claim_to_fetch(100, much_later, MINUTE),
    ]
    return {(str(claim.job_id), claim.index) for claim in claims}


def _days_later() -> Any:
    return utc_now() + timedelta(days=3)


UNDERSTOOD: dict[str, Callable[[Mapping[str, str], Rows], Coroutine[Any, Any, None]]] = {
    "ledger": jobs_are_shown, "generator": calls_are_neither_lost_nor_repeated, "uploader": outputs_are_still_stored,
}  # fmt: skip


def test_the_newest_tables_of_each_release_are_recorded() -> None:
    """Beside what is not released yet: at a release `python -m tests.upgrades.record` adds what is missing."""
    recorded = Counter(file.stem.partition("-")[0] for file in FILES)

    assert set(recorded) == set(UNDERSTOOD)
    assert min(recorded.values()) >= 2
