"""Requests whose headers have no end, over a real connection."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette

from stage.heads import HEAD_BYTES
from stage.service import health_routes, web_config

BEGIN = b"GET /health HTTP/1.1\r\nHost: gateway\r\n"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where an app listens that is served as ours are."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(web_config(Starlette(routes=health_routes({}))))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving


async def answered(port: int, *parts: bytes) -> bytes:
    """The first line that comes back for what is sent part by part; nothing when the connection is closed first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(20):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            return (await reader.readline()).strip()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "filling",
    [b"X-Long: " + b"a" * (8 << 20), b"X-Short: a\r\n" * 800_000],
    ids=["one long header", "many short ones"],
)
async def test_headers_without_an_end_are_not_kept(port: int, filling: bytes) -> None:
    assert await answered(port, BEGIN, filling, b"\r\n\r\n") in (b"", b"HTTP/1.1 431 Request Header Fields Too Large")


async def test_a_request_line_without_an_end_is_not_kept(port: int) -> None:
    path = b"a" * (8 << 20)

    assert await answered(port, b"GET /", path) in (b"", b"HTTP/1.1 431 Request Header Fields Too Large")


async def test_headers_that_come_in_pieces_are_read(port: int) -> None:
    pieces = [b"X-Piece: " + b"a" * 1_000 + b"\r\n"] * (HEAD_BYTES // 1_100)

    assert await answered(port, BEGIN, *pieces, b"\r\n") == b"HTTP/1.1 200 OK"


async def test_a_connection_is_used_again_whatever_was_sent_before(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = []
    for _ in range(5):
        writer.write(BEGIN + b"X-Large: " + b"a" * (HEAD_BYTES // 2) + b"\r\n\r\n")
        lines.append((await reader.readuntil(b'"healthy"}')).split(b"\r\n")[0])
    writer.close()

    assert lines == [b"HTTP/1.1 200 OK"] * 5
