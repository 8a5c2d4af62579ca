"""Servers that are never silent and never get anywhere, in the parts of an answer that no body comes of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.integration.uploader_service.fetching.landed import outcome_of, settings_for
from uploader_service.fetch import Fetcher
from uploader_service.landing import Landing

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def a_server_that_says(beginning: bytes, more: bytes) -> AsyncIterator[int]:
    """The port of a server that answers with `beginning`, and with `more` twenty times a second for ever."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(beginning)
            while True:
                writer.write(more)
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            return
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("beginning", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (CHUNKED + b"5;", b"a"),
        (CHUNKED + b"3\r\nabc\r\n0\r\n", b"A: b\r\n"),
    ],
    ids=["head", "informational answers", "name of a chunk", "trailers"],
)
async def test_an_answer_that_trickles_where_no_body_comes_of_it_is_given_up(
    beginning: bytes, more: bytes, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_server_that_says(beginning, more) as port:
        settings = settings_for(monkeypatch, UPLOADER_ALLOWED_PRIVATE=f"127.0.0.1:{port}")
        async with Fetcher.open(settings) as fetcher:
            outcome = await outcome_of(fetcher, f"http://127.0.0.1:{port}/a.png", landing)

    assert (outcome.code, outcome.passing) == ("source_unavailable", True)
