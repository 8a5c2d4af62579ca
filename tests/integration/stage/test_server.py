"""A server that is stopped, as clients on a real port see it: who asks is answered, and knows to go elsewhere."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from stage.server import DRAIN_SECONDS, Server
from stage.service import _listen

ASK = b"GET / HTTP/1.1\r\nHost: server\r\n\r\n"
DEADLINE = 10.0


class Stopped:
    """A server, whose `/slow` answers when a test says so, and how long it took to stop."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        app = Starlette(routes=[Route("/", self._answer), Route("/slow", self._slow)])
        self._listening = _listen("server", "127.0.0.1", 0)
        self.port: int = self._listening.getsockname()[1]
        self._server = Server(uvicorn.Config(app, ws="none", lifespan="off", log_config=None, access_log=False,
                                             timeout_graceful_shutdown=5))  # fmt: skip
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listening]))
        self._told_at = 0.0

    def told_to_stop(self) -> None:
        self._server.should_exit, self._told_at = True, monotonic()

    async def is_draining(self) -> None:
        async with asyncio.timeout(DEADLINE):
            while (b"connection", b"close") not in self._server.server_state.default_headers:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)

    async def port_is_closed(self) -> None:
        async with asyncio.timeout(DEADLINE):
            while self._listening.fileno() >= 0:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)

    async def took(self) -> float:
        """Seconds from being told to the end."""
        async with asyncio.timeout(DEADLINE):
            await self._serving
        return monotonic() - self._told_at

    async def _answer(self, _: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    async def _slow(self, _: Request) -> PlainTextResponse:
        await self.go_on.wait()
        return PlainTextResponse("at last")


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def of(cls, port: int) -> AsyncIterator["Client"]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield cls(reader, writer)
        writer.close()

    def asks(self, request: bytes = ASK) -> None:
        self._writer.write(request)

    async def answer(self) -> str:
        """`kept` or `closed`, as the next answer says of the connection."""
        async with asyncio.timeout(DEADLINE):
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
            await self._reader.readexactly(int(length.partition(b": ")[2]))
        assert head.startswith(b"http/1.1 200 ")
        return "closed" if b"\r\nconnection: close\r\n" in head else "kept"

    async def is_hung_up_on(self) -> bool:
        async with asyncio.timeout(DEADLINE):
            return await self._reader.read() == b""


@pytest.fixture
async def server() -> AsyncIterator[Stopped]:
    server = Stopped()
    async with Client.of(server.port) as client:
        client.asks()
        assert await client.answer() == "kept"
    yield server
    server.go_on.set()
    server.told_to_stop()
    await server.took()


async def test_who_asks_while_it_stops_is_answered_and_told_to_leave(server: Stopped) -> None:
    async with Client.of(server.port) as kept:
        kept.asks()
        before = await kept.answer()
        server.told_to_stop()
        await server.is_draining()
        kept.asks()
        on_a_kept_connection = await kept.answer(), await kept.is_hung_up_on()
        async with Client.of(server.port) as new:
            new.asks()
            on_a_new_one = await new.answer(), await new.is_hung_up_on()

    assert (before, on_a_kept_connection, on_a_new_one) == ("kept", ("closed", True), ("closed", True))


async def test_with_nobody_connected_it_stops_at_once(server: Stopped) -> None:
    server.told_to_stop()

    assert await server.took() < DRAIN_SECONDS


async def test_who_keeps_a_connection_and_asks_nothing_is_left_in_peace_for_a_moment_and_no_longer(
    server: Stopped,
) -> None:
    async with Client.of(server.port) as idle:
        idle.asks()
        await idle.answer()
        server.told_to_stop()
        assert await idle.is_hung_up_on()

    assert DRAIN_SECONDS <= await server.took() < 2 * DRAIN_SECONDS


async def test_who_connected_at_the_last_moment_has_time_to_ask(server: Stopped) -> None:
    async with Client.of(server.port):  # keeps the port open
        server.told_to_stop()
        await server.is_draining()
        await asyncio.sleep(DRAIN_SECONDS * 0.8)
        async with Client.of(server.port) as late:
            await server.port_is_closed()
            await asyncio.sleep(DRAIN_SECONDS * 0.3)
            late.asks()

            assert await late.answer() == "closed"


async def test_an_answer_that_takes_longer_is_waited_for(server: Stopped) -> None:
    async with Client.of(server.port) as slow:
        slow.asks(ASK.replace(b"/", b"/slow", 1))
        server.told_to_stop()
        await server.port_is_closed()
        await asyncio.sleep(DRAIN_SECONDS * 1.2)
        server.go_on.set()

        assert await slow.answer() == "closed"


async def test_of_those_who_connect_for_each_question_all_are_answered_or_refused(server: Stopped) -> None:
    outcomes: Counter[str] = Counter()

    async def client() -> None:
        while True:
            try:
                async with Client.of(server.port) as new:
                    new.asks()
                    outcomes[await new.answer()] += 1
            except ConnectionRefusedError:
                return
            except (ConnectionError, asyncio.IncompleteReadError) as fault:
                outcomes[f"cut off: {type(fault).__name__}"] += 1

    async with asyncio.TaskGroup() as clients:
        for _ in range(20):
            clients.create_task(client())
        async with asyncio.timeout(DEADLINE):
            while outcomes["kept"] < 100:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
        server.told_to_stop()

    assert set(outcomes) == {"kept", "closed"}
