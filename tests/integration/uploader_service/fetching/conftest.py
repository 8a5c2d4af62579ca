"""A server of sources, what fetches from it, and where it lands."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.uploader_service.fetching.landed import IN_MEMORY, settings_for
from tests.strange_sources import StrangeSources
from uploader_service.fetch import Fetcher
from uploader_service.landing import Landing


@pytest.fixture
async def sources() -> AsyncIterator[StrangeSources]:
    async with StrangeSources.open() as opened:
        yield opened


@pytest.fixture
async def fetcher(sources: StrangeSources, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fetcher]:
    settings = settings_for(monkeypatch, UPLOADER_ALLOWED_PRIVATE=f"127.0.0.1:{sources.port}")
    async with Fetcher.open(settings) as opened:
        yield opened


@pytest.fixture
async def landing(tmp_path: Path) -> AsyncIterator[Landing]:
    made = Landing(tmp_path / "output", IN_MEMORY)
    yield made
    await made.discard()
