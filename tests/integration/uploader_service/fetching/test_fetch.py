"""Fetching from a real server: what arrives whole, and what every fault becomes."""

import asyncio
import os
import socket
from pathlib import Path

import psutil
import pytest

from tests.integration.uploader_service.fetching.landed import (
    FILE,
    IN_MEMORY,
    LARGEST,
    PICTURE,
    fetched,
    outcome_of,
    settings_for,
)
from tests.strange_sources import (
    Answers,
    Chunked,
    Endless,
    Moved,
    Silent,
    StrangeSources,
    Trickles,
)
from uploader_service.decide import NotStored
from uploader_service.fetch import REDIRECTS, Fetcher
from uploader_service.landing import Landing

MEGABYTE = 1 << 20


async def test_a_source_arrives_whole_with_its_size_and_sum(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    sources.put("ok.png", PICTURE)

    assert await fetched(fetcher, sources.at("ok.png"), landing) == PICTURE


@pytest.mark.parametrize("size", [1, IN_MEMORY, IN_MEMORY + 1, LARGEST])
async def test_a_source_arrives_whole_whether_it_lands_in_memory_or_in_a_file(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, size: int
) -> None:
    content = (FILE * 2)[:size]
    sources.put("file", content)

    assert await fetched(fetcher, sources.at("file"), landing) == content


async def test_a_source_is_asked_for_as_it_is_and_with_nothing_of_ours(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    place = sources.put("ok.png", PICTURE)

    await fetcher.fetch(sources.at("ok.png"), "fake", landing)

    asked = place.asked[0]
    assert asked["accept-encoding"] == "identity"
    assert not {"authorization", "cookie", "referer", "range"} & set(asked)


@pytest.mark.parametrize("name", ["a%2Fb.png", "a.png?sig=a%2Bb%2F%3D&x=%20y+z", "%e4.png"])
async def test_a_source_is_asked_for_to_the_letter_because_a_signature_may_cover_it(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, name: str
) -> None:
    sources.put(name, PICTURE)

    assert await fetched(fetcher, sources.at(name), landing) == PICTURE


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_source_that_is_gone_is_not_asked_for_again(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, status: int
) -> None:
    sources.put("file", FILE, Answers(status))

    assert await outcome_of(fetcher, sources.at("file"), landing) == NotStored(
        "source_expired", f"the source answered {status}", passing=False
    )


@pytest.mark.parametrize("status", [202, 204, 206, 401, 408, 416, 429, 500, 502, 503])
async def test_a_source_that_has_trouble_is_asked_for_again_later(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, status: int
) -> None:
    place = sources.put("file", FILE, Answers(status))

    assert await outcome_of(fetcher, sources.at("file"), landing) == NotStored(
        "source_unavailable", f"the source answered {status}", passing=True
    )
    assert len(place.asked) == 1


async def test_a_source_as_large_as_allowed_is_taken(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    sources.put("file", bytes(LARGEST), Chunked())

    assert len(await fetched(fetcher, sources.at("file"), landing)) == LARGEST


@pytest.mark.parametrize("fault", [None, Chunked()], ids=["said beforehand", "unsaid"])
@pytest.mark.parametrize("size", [LARGEST + 1, 100 * LARGEST])
async def test_a_source_that_is_too_large_is_refused_for_good(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, size: int, fault: Chunked | None
) -> None:
    sources.put("file", Endless(b"x", size), *([fault] if fault else []))

    assert await outcome_of(fetcher, sources.at("file"), landing) == NotStored(
        "output_too_large", f"the source is larger than {LARGEST} bytes: see UPLOADER_MAX_BYTES", passing=False
    )
    assert landing.size <= (LARGEST if fault else 0)


async def test_an_empty_source_is_asked_for_again(sources: StrangeSources, fetcher: Fetcher, landing: Landing) -> None:
    sources.put("file", b"")

    assert await outcome_of(fetcher, sources.at("file"), landing) == NotStored(
        "source_unavailable", "the source is empty", passing=True
    )


async def test_a_source_that_goes_on_without_end_is_given_up_by_size(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    sources.put("file", FILE, Trickles(50_000))

    assert (await outcome_of(fetcher, sources.at("file"), landing)).code in ("output_too_large", "source_unavailable")
    assert landing.size <= LARGEST


async def test_a_trickle_without_end_is_given_up_although_it_is_never_silent(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    sources.put("file", FILE, Trickles())

    outcome = await outcome_of(fetcher, sources.at("file"), landing)

    assert (outcome.code, outcome.passing) == ("source_unavailable", True)
    assert "too slow" in outcome.message


async def test_silence_is_given_up_after_the_stall_timeout(
    sources: StrangeSources, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = sources.put("file", FILE, Silent())
    settings = settings_for(
        monkeypatch, UPLOADER_ALLOWED_PRIVATE=f"127.0.0.1:{sources.port}", UPLOADER_FETCH_TIMEOUT="PT60S",
        UPLOADER_STALL_TIMEOUT="PT0.2S",
    )  # fmt: skip

    async with Fetcher.open(settings) as fetcher:
        outcome = await outcome_of(fetcher, sources.at("file"), landing)

    assert (outcome.code, outcome.passing, len(place.asked)) == ("source_unavailable", True, 1)


async def test_a_server_that_is_not_there_is_asked_again(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    settings = settings_for(monkeypatch, UPLOADER_ALLOWED_PRIVATE=f"127.0.0.1:{port}")

    async with Fetcher.open(settings) as fetcher:
        outcome = await outcome_of(fetcher, f"http://127.0.0.1:{port}/a.png", landing)

    assert (outcome.code, outcome.passing) == ("source_unavailable", True)


@pytest.mark.parametrize("location", ["/ok.png", "ok.png", "http://127.0.0.1:PORT/ok.png", "//127.0.0.1:PORT/ok.png"])
@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_to_where_we_may_go_is_followed(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, location: str, status: int
) -> None:
    sources.put("moved", b"", Moved(location.replace("PORT", str(sources.port)), status))
    sources.put("ok.png", PICTURE)

    assert await fetched(fetcher, sources.at("moved"), landing) == PICTURE


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/ok.png", "http://169.254.169.254/latest/meta-data/", "https://10.0.0.1/ok.png",
        "https://[::1]/ok.png", "http://localhost:PORT/ok.png", "file:///etc/passwd", "https://example.org/ok.png",
        "http://[::1/ok.png", "http://127.0.0.1:99999/ok.png", "http://me:secret@127.0.0.1:PORT/ok.png",
    ],
)  # fmt: skip
async def test_a_redirect_to_where_we_may_not_go_is_refused_for_good(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, location: str
) -> None:
    sources.put("moved", b"", Moved(location.replace("PORT", str(sources.port))))
    elsewhere = sources.put("ok.png", PICTURE)

    outcome = await outcome_of(fetcher, sources.at("moved"), landing)

    assert (outcome.code, outcome.passing) == ("source_forbidden", False)
    assert elsewhere.asked == []


@pytest.mark.parametrize("location", ["/moved", ""])
async def test_redirects_without_end_are_given_up(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, location: str
) -> None:
    place = sources.put("moved", b"", *[Moved(location)] * 10)

    outcome = await outcome_of(fetcher, sources.at("moved"), landing)

    assert outcome == NotStored("source_forbidden", f"the source redirects more than {REDIRECTS} times", passing=False)
    assert len(place.asked) == REDIRECTS + 1


async def test_one_slow_source_does_not_delay_another(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, tmp_path: Path
) -> None:
    sources.put("ok.png", PICTURE)
    sources.put("slow", b"", *[Silent()] * 10)
    slow = [
        asyncio.create_task(outcome_of(fetcher, sources.at("slow"), Landing(tmp_path / str(n), IN_MEMORY)))
        for n in range(10)
    ]

    async with asyncio.timeout(0.4):
        assert await fetched(fetcher, sources.at("ok.png"), landing) == PICTURE
    assert {outcome.code for outcome in await asyncio.gather(*slow)} == {"source_unavailable"}


async def test_a_video_of_half_a_gigabyte_passes_through_little_memory(
    sources: StrangeSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 500 * MEGABYTE
    sources.put("video", Endless(b"\0\0\0\x20ftypisom", size))
    settings = settings_for(
        monkeypatch, UPLOADER_ALLOWED_PRIVATE=f"127.0.0.1:{sources.port}", UPLOADER_FETCH_TIMEOUT="PT60S",
        UPLOADER_MAX_BYTES=str(size),
    )  # fmt: skip
    process, landing = psutil.Process(), Landing(tmp_path / "video", 2 * MEGABYTE)
    before = most = process.memory_info().rss

    async with Fetcher.open(settings) as fetcher, asyncio.timeout(120):
        fetching = asyncio.create_task(fetcher.fetch(sources.at("video"), "fake", landing))
        while not fetching.done():
            await asyncio.wait([fetching], timeout=0.05)
            most = max(most, process.memory_info().rss)
        await fetching

    assert landing.size == size
    assert most - before < 64 * MEGABYTE
    await landing.discard()
    assert os.listdir(tmp_path) == []
