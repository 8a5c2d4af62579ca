"""What is refused before it is asked for. What arrives is shown against a real server, in tests/integration."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from yarl import URL

from uploader_service.addresses import Allowed, Way
from uploader_service.decide import NotStored
from uploader_service.fetch import Fetcher, FetchError
from uploader_service.landing import Landing
from uploader_service.settings import Settings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media", "UPLOADER_ALLOWED_HOSTS": "*",
        "UPLOADER_ALLOWED_PRIVATE": "127.0.0.1:8101",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return Settings()


async def outcome_of(fetcher: Fetcher, url: str, folder: Path) -> NotStored:
    with pytest.raises(FetchError) as refused:
        await fetcher.fetch(url, "replicate", Landing(folder / "output", 1_000))
    assert os.listdir(folder) == []
    return refused.value.outcome


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://[::1]/", "https://[fe80::1%25eth0]/",
        "https://0x7f.1/", "https://0x7f000001/", "https://0177.0.0.1/", "https://2130706433/", "https://127.1/",
        "https://0/", "https://localhost/", "https://LOCALHOST/", "https://me:secret@example.org/",
    ],
)  # fmt: skip
async def test_a_private_address_even_in_disguise_is_refused_for_good(
    url: str, settings: Settings, tmp_path: Path
) -> None:
    async with Fetcher.open(settings) as fetcher:
        outcome = await outcome_of(fetcher, url, tmp_path)

    assert (outcome.code, outcome.passing) == ("source_forbidden", False)
    assert "secret" not in outcome.message


@pytest.mark.parametrize(
    "url",
    [
        f"https://{'a' * 64}.replicate.delivery/", "https://a..replicate.delivery/", "https:///a.jpg",
        "https://:443/", "https://a\ud800b/",
    ],
    ids=ascii,
)  # fmt: skip
async def test_a_host_that_can_be_none_is_an_outcome_and_no_bug(url: str, settings: Settings, tmp_path: Path) -> None:
    async with Fetcher.open(settings) as fetcher:
        assert (await outcome_of(fetcher, url, tmp_path)).passing is False


class Door:
    """A client session whose every answer is a redirect."""

    def __init__(self, leads_to: str) -> None:
        self._leads_to = leads_to
        self.asked: list[str] = []

    async def get(self, url: URL, **_: object) -> "Redirect":
        self.asked.append(str(url))
        return Redirect({"Location": self._leads_to})


class Redirect:
    """A 302."""

    status = 302

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers

    def close(self) -> None:
        pass


async def test_a_redirect_from_outside_does_not_get_to_a_named_place_inside(settings: Settings, tmp_path: Path) -> None:
    outside, inside = Door("http://127.0.0.1:8101/media/1"), Door("https://example.org/")
    doors = cast("Mapping[Way, aiohttp.ClientSession]", {Way.PUBLIC: outside, Way.PRIVATE: inside})
    fetcher = Fetcher(doors, settings, Allowed.of(settings))

    outcome = await outcome_of(fetcher, "https://example.org/a.jpg", tmp_path)

    assert (outcome.code, outcome.passing) == ("source_forbidden", False)
    assert (outside.asked, inside.asked) == (["https://example.org/a.jpg"], [])
