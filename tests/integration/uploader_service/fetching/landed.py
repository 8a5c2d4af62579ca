"""What the tests of fetching fetch, and how they look at what came."""

import asyncio
import hashlib
import random

import pytest

from tests.media_files import a_picture
from uploader_service.decide import NotStored
from uploader_service.fetch import Fetcher, FetchError
from uploader_service.landing import Landing
from uploader_service.settings import Settings

PICTURE = a_picture("PNG", (200, 100))
LARGEST = 300_000
FILE = random.Random(20260112).randbytes(256_000)
"""Long enough to break off in several places; every stretch of it tells where it is from."""
IN_MEMORY = 100_000


def settings_for(monkeypatch: pytest.MonkeyPatch, **more: str) -> Settings:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media", "UPLOADER_ALLOWED_HOSTS": "*.replicate.delivery",
        "UPLOADER_MAX_BYTES": str(LARGEST), "UPLOADER_FETCH_TIMEOUT": "PT0.5S", **more,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return Settings()


async def fetched(fetcher: Fetcher, url: str, landing: Landing) -> bytes:
    async with asyncio.timeout(10):
        await fetcher.fetch(url, "fake", landing)
    with landing.open() as file:
        content = file.read()
    assert (landing.size, landing.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    return content


async def outcome_of(fetcher: Fetcher, url: str, landing: Landing) -> NotStored:
    async with asyncio.timeout(10):
        with pytest.raises(FetchError) as failed:
            await fetcher.fetch(url, "fake", landing)
    return failed.value.outcome
