"""Fetching from a real server: what arrives whole, and what every fault becomes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from tests.media_files import a_picture
from uploader_service.decide import NotStored
from uploader_service.fetch import REDIRECTS, Fetcher, FetchError
from uploader_service.settings import Settings

PICTURE = a_picture("PNG", (200, 100))
LARGEST = 100_000


@dataclass
class Source:
    """Where a provider left its outputs, and what it was asked."""

    url: str = ""
    port: int = 0
    moves_to: str = ""
    asked: int = 0
    encodings: str = ""

    async def ok(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.encodings = request.headers.get("Accept-Encoding", "")
        return web.Response(body=PICTURE, content_type="text/html")

    async def status(self, request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["code"]), text="<html>what happened</html>")

    async def sized(self, request: web.Request) -> web.StreamResponse:
        """So many bytes in pieces, without saying beforehand how many."""
        response = web.StreamResponse()
        await response.prepare(request)
        left = int(request.match_info["bytes"])
        while left:
            piece = min(left, 10_000)
            await response.write(bytes(piece))
            left -= piece
        return response

    async def broken_off(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(PICTURE))})
        await response.prepare(request)
        await response.write(PICTURE[:100])
        assert request.transport is not None
        request.transport.abort()
        return response

    async def trickle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"\x89")
            await asyncio.sleep(0.02)

    async def silence(self, _: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError("the fetcher waited a minute")

    async def moved(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(status=302, headers={"Location": self.moves_to})


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    made = Source()
    app = web.Application()
    app.router.add_get("/ok.png", made.ok)
    app.router.add_get("/status/{code}", made.status)
    app.router.add_get("/sized/{bytes}", made.sized)
    app.router.add_get("/broken_off", made.broken_off)
    app.router.add_get("/trickle", made.trickle)
    app.router.add_get("/silence", made.silence)
    app.router.add_get("/moved", made.moved)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    made.port = listening.getsockname()[1]
    made.url = f"http://127.0.0.1:{made.port}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def fetcher(source: Source, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fetcher]:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media", "UPLOADER_ALLOWED_HOSTS": "*.replicate.delivery",
        "UPLOADER_ALLOWED_PRIVATE": f"127.0.0.1:{source.port}", "UPLOADER_MAX_BYTES": str(LARGEST),
        "UPLOADER_FETCH_TIMEOUT": "PT0.5S",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    async with Fetcher.open(Settings()) as opened:
        yield opened


async def outcome_of(fetcher: Fetcher, url: str) -> NotStored:
    async with asyncio.timeout(5):
        with pytest.raises(FetchError) as failed:
            await fetcher.fetch(url)
    return failed.value.outcome


async def test_a_source_arrives_whole_whatever_its_headers_call_it(source: Source, fetcher: Fetcher) -> None:
    assert await fetcher.fetch(f"{source.url}/ok.png") == PICTURE


async def test_a_source_is_asked_for_as_it_is_never_compressed(source: Source, fetcher: Fetcher) -> None:
    await fetcher.fetch(f"{source.url}/ok.png")

    assert source.encodings == "identity"


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_source_that_is_gone_is_not_asked_for_again(source: Source, fetcher: Fetcher, status: int) -> None:
    assert await outcome_of(fetcher, f"{source.url}/status/{status}") == NotStored(
        "source_expired", f"the source answered {status}", passing=False
    )


@pytest.mark.parametrize("status", [202, 204, 401, 408, 429, 500, 502, 503])
async def test_a_source_that_has_trouble_is_asked_for_again(source: Source, fetcher: Fetcher, status: int) -> None:
    assert await outcome_of(fetcher, f"{source.url}/status/{status}") == NotStored(
        "source_unavailable", f"the source answered {status}", passing=True
    )


async def test_a_source_as_large_as_allowed_is_taken(source: Source, fetcher: Fetcher) -> None:
    assert len(await fetcher.fetch(f"{source.url}/sized/{LARGEST}")) == LARGEST


@pytest.mark.parametrize("size", [LARGEST + 1, 100 * LARGEST])
async def test_a_source_that_is_too_large_is_refused_for_good(source: Source, fetcher: Fetcher, size: int) -> None:
    assert await outcome_of(fetcher, f"{source.url}/sized/{size}") == NotStored(
        "output_too_large", f"the source is larger than {LARGEST} bytes: see UPLOADER_MAX_BYTES", passing=False
    )


async def test_an_empty_source_is_asked_for_again(source: Source, fetcher: Fetcher) -> None:
    assert await outcome_of(fetcher, f"{source.url}/sized/0") == NotStored(
        "source_unavailable", "the source is empty", passing=True
    )


async def test_a_source_that_breaks_off_is_never_taken_for_whole(source: Source, fetcher: Fetcher) -> None:
    outcome = await outcome_of(fetcher, f"{source.url}/broken_off")

    assert (outcome.code, outcome.passing) == ("source_unavailable", True)
    assert "broke off" in outcome.message


@pytest.mark.parametrize("way", ["trickle", "silence"])
async def test_a_source_that_takes_too_long_is_given_up_and_asked_for_again(
    source: Source, fetcher: Fetcher, way: str
) -> None:
    started = asyncio.get_running_loop().time()

    outcome = await outcome_of(fetcher, f"{source.url}/{way}")

    assert (outcome.code, outcome.passing) == ("source_unavailable", True)
    assert asyncio.get_running_loop().time() - started < 3


async def test_a_server_that_is_not_there_is_asked_again(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media", "UPLOADER_ALLOWED_PRIVATE": f"127.0.0.1:{port}",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    async with Fetcher.open(Settings()) as fetcher:
        outcome = await outcome_of(fetcher, f"http://127.0.0.1:{port}/a.png")

    assert (outcome.code, outcome.passing) == ("source_unavailable", True)


@pytest.mark.parametrize("location", ["/ok.png", "ok.png", "http://127.0.0.1:PORT/ok.png", "//127.0.0.1:PORT/ok.png"])
async def test_a_redirect_to_where_we_may_go_is_followed(source: Source, fetcher: Fetcher, location: str) -> None:
    source.moves_to = location.replace("PORT", str(source.port))

    assert await fetcher.fetch(f"{source.url}/moved") == PICTURE


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/ok.png", "http://169.254.169.254/latest/meta-data/", "https://10.0.0.1/ok.png",
        "https://[::1]/ok.png", "http://localhost:PORT/ok.png", "file:///etc/passwd", "https://example.org/ok.png",
        "http://[::1/ok.png", "http://127.0.0.1:99999/ok.png",
    ],
)  # fmt: skip
async def test_a_redirect_to_where_we_may_not_go_is_refused_for_good(
    source: Source, fetcher: Fetcher, location: str
) -> None:
    source.moves_to = location.replace("PORT", str(source.port))

    outcome = await outcome_of(fetcher, f"{source.url}/moved")

    assert (outcome.code, outcome.passing) == ("source_forbidden", False)
    assert source.asked == 1


@pytest.mark.parametrize("location", ["/moved", ""])
async def test_redirects_without_end_are_given_up(source: Source, fetcher: Fetcher, location: str) -> None:
    source.moves_to = location

    outcome = await outcome_of(fetcher, f"{source.url}/moved")

    assert outcome == NotStored("source_forbidden", f"the source redirects more than {REDIRECTS} times", passing=False)
    assert source.asked == REDIRECTS + 1


async def test_one_slow_source_does_not_delay_another(source: Source, fetcher: Fetcher) -> None:
    slow = [asyncio.create_task(outcome_of(fetcher, f"{source.url}/silence")) for _ in range(10)]

    async with asyncio.timeout(0.4):
        assert await fetcher.fetch(f"{source.url}/ok.png") == PICTURE
    assert {outcome.code for outcome in await asyncio.gather(*slow)} == {"source_unavailable"}
