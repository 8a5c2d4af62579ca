"""Who asks a server over and over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.load import Load, Loader, loader
from bench.place import NoFigureError


@asynccontextmanager
async def server(answers: list[bytes], heard: list[bytes]) -> AsyncIterator[int]:
    """Answers each request with the next of `answers`, the last one for ever; piece by piece."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(1_000):
            heard.append(request)
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            for piece in (answer[:-2], answer[-2:]):
                writer.write(piece)
                await asyncio.sleep(0.002)  # so that each is read by itself
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


def an_answer(status: int, body: str = "fine") -> bytes:
    return f"HTTP/1.1 {status} Any\r\nx-more: 1\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


def a_load(port: int, *, connections: int = 3) -> Load:
    return Load(port, connections, 0.2, ["GET /1 HTTP/1.1\r\n\r\n", "GET /2 HTTP/1.1\r\n\r\n"], 200)


@pytest.fixture
async def asking() -> AsyncIterator[Loader]:
    async with loader() as asking:
        yield asking


async def test_every_connection_asks_in_turns_and_each_answer_is_timed(asking: Loader) -> None:
    heard: list[bytes] = []
    async with server([an_answer(200)], heard) as port:
        answered = await asking.ask(a_load(port))

    assert len(answered.times) == len(heard) > 10
    assert abs(heard.count(b"GET /1 HTTP/1.1\r\n\r\n") - len(heard) / 2) <= 1
    assert 0.2 <= answered.seconds < 5
    assert all(0 < time < 5_000 for time in answered.times)
    assert answered.per_second == pytest.approx(len(heard) / answered.seconds)


async def test_a_wrong_answer_is_no_figure_and_the_loader_goes_on(asking: Loader) -> None:
    async with server([an_answer(200), an_answer(503, "busy"), an_answer(200)], []) as port:
        with pytest.raises(NoFigureError, match="503"):
            await asking.ask(a_load(port, connections=1))

        assert (await asking.ask(a_load(port))).times


async def test_a_server_that_is_not_there_is_no_figure(asking: Loader) -> None:
    async with server([an_answer(200)], []) as port:
        pass

    with pytest.raises(NoFigureError):
        await asking.ask(a_load(port))
