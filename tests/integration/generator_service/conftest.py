"""A PostgreSQL of these tests' own, with the generator's tables: they need no other server."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from darkroom.local.ports import claim
from darkroom.local.postgres import admin_url, postgres_part
from darkroom.local.postgres_place import discard
from darkroom.local.stack import silent
from darkroom.local.supervisor import Supervisor
from darkroom.steps import ADMIN_DATABASE, SERVICES, database_setting, migrate, prepare_database
from generator_service.tables import SCHEMA
from stage.database import Pool, new_pool

TABLES = (
    "generations", "gates", "cancels", "accounts", "brakes", "former_calls", "early_retries", "renewals", "outbox"
)  # fmt: skip


async def empty(pool: Pool) -> None:
    """Remove every row. TRUNCATE would take longer than what a search does in between."""
    await pool.execute(";".join(f"DELETE FROM {table}" for table in TABLES))


@pytest.fixture(scope="session")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """How the generator connects to its tables."""
    home, port, supervisor = tmp_path_factory.mktemp("postgres"), claim("postgres"), None
    try:
        part = await asyncio.to_thread(postgres_part, home, port, os.environ)
        supervisor = Supervisor(home, silent)
        await supervisor.start(part, 0)
        urls = {database_setting(role): f"postgresql://{role}:{role}@127.0.0.1:{port}/darkroom" for role in SERVICES}
        environ = urls | {ADMIN_DATABASE: admin_url(home, port)}
        await prepare_database(environ)
        await migrate(environ, ["generator"])
        # Processes die in these tests, the server never does.
        yield urls[database_setting("generator")] + "?synchronous_commit=off"
    finally:
        if supervisor is not None:
            await supervisor.stop()
        discard(home)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The generator's tables, empty."""
    async with await new_pool(database, schema=SCHEMA, name="test", size=4) as pool:
        await empty(pool)
        yield pool
