"""The uploader's real tables, empty, and a desk to work at."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from darkroom.local.postgres_place import discard
from darkroom.local.stack import Stack
from stage.database import Pool, new_pool
from tests.integration.uploader_service.desk import Desk
from uploader_service.settings import Settings
from uploader_service.tables import SCHEMA


@pytest.fixture(scope="session")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Where the uploader's tables are: one PostgreSQL for all of these tests, that nobody else reads."""
    if os.environ.get("TEST_BACKEND") == "containers":
        pytest.skip("these tests empty the uploader's tables, which only local servers allow")
    home = tmp_path_factory.mktemp("uploader-tables")
    async with Stack(home, services=False, environ={"PATH": os.environ["PATH"]}) as stack:
        await stack.prepare()
        yield stack.environ["UPLOADER_DATABASE_URL"]
    discard(home)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The uploader's tables, empty."""
    async with await new_pool(database, schema=SCHEMA, name="test", size=4) as pool:
        await pool.execute("TRUNCATE uploads, retries, removals, deletions, outbox RESTART IDENTITY")
        yield pool


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The uploader's settings as they come, with a spool of the test's own."""
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media", "UPLOADER_SPOOL_DIR": str(tmp_path / "spool"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.fixture
def desk(pool: Pool, settings: Settings) -> Desk:
    """An empty desk at noon."""
    return Desk(pool, settings)
