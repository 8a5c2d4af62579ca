"""Bytes as clients send them, to a real port: what is no request, what never ends, and what comes too slowly."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Request

from gateway.app import build
from gateway.callers import OpenDoor
from gateway.health import health_routes
from gateway.http_protocol import GatewayHttp
from gateway.middleware import wrapped

HEAD = b" HTTP/1.1\r\nHost: gateway\r\n"
POST = b"POST /heard" + HEAD
DEADLINE = 10.0


class Impatient(GatewayHttp):
    """Waits for a request's end as long as a test can, and reads as little as shows the limit."""

    receive_seconds = 1.0
    head_bytes = 8 * 1_024


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    """The port of a gateway that waits for nobody."""
    async with gateway(Impatient) as server:
        yield server.servers[0].sockets[0].getsockname()[1]


@asynccontextmanager
async def gateway(http: type[GatewayHttp]) -> AsyncIterator[uvicorn.Server]:
    """A gateway with routes that say what they were sent; `/slow` takes two seconds for its answer."""
    router = APIRouter()

    @router.post("/heard")
    async def heard(request: Request) -> int:
        return len(await request.body())

    @router.post("/headers")
    async def headers(request: Request) -> list[str]:
        await request.body()
        return request.headers.keys()

    @router.get("/slow")
    async def slow() -> str:
        await asyncio.sleep(2)
        return "at last"

    app = wrapped(build([router], health_routes({}), OpenDoor()))
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, http=http, ws="none", lifespan="off", log_config=None, access_log=False)
    )
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(DEADLINE):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
    yield server
    server.should_exit = True
    await serving


async def sent(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """All that comes back for these bytes until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = bytearray()

    async def send() -> None:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause)

    sending = asyncio.create_task(send())
    with suppress(ConnectionError):  # it hung up while there was more to read, which is its right
        async with asyncio.timeout(DEADLINE):
            while received := await reader.read(65_536):
                answer += received
    sending.cancel()
    writer.close()
    return bytes(answer)


def a_problem(answer: bytes, status: int, kind: str) -> dict[str, Any]:
    """The one problem that was answered, with all that every answer has."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = (line.partition(b": ") for line in head.split(b"\r\n")[1:])
    headers = httpx.Headers([(name, value) for name, _, value in lines])
    problem: dict[str, Any] = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert (problem["type"], problem["status"]) == (f"urn:darkroom:problem:{kind}", status)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == problem["request_id"]
    assert (headers["connection"], headers["cache-control"]) == ("close", "no-store")
    assert headers["x-content-type-options"] == "nosniff"
    return problem


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",  # TLS
        b"BREW /pot" + HEAD + b"\r\n",
        b"GET /\x00" + HEAD + b"\r\n",
        b"GET /\xc3\xa9" + HEAD + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health" + HEAD + b"X: a\x00b\r\n\r\n",
        b"GET /health" + HEAD + b"X: a\r\n folded\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=ascii,
)
async def test_bytes_that_are_no_request_are_refused_as_a_problem(garbage: bytes, port: int) -> None:
    a_problem(await sent(port, garbage), 400, "bad-request")


@pytest.mark.parametrize(
    "endless",
    [b"X-Long: " + b"y" * 400_000, b"".join(b"X-%d: y\r\n" % number for number in range(30_000))],
    ids=["one header", "many headers"],
)
async def test_headers_without_end_are_refused_before_they_fill_the_memory(endless: bytes, port: int) -> None:
    a_problem(await sent(port, b"GET /health" + HEAD + endless), 431, "headers-too-large")


@pytest.mark.parametrize(
    "endless",
    [
        b"2\r\n{}\r\n0\r\nX-Long: " + b"y" * 400_000,
        b"2\r\n{}\r\n0\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(30_000)),
        b"2;" + b"y" * 400_000,
    ],
    ids=["one trailer", "many trailers", "one chunk's extension"],
)
async def test_what_comes_beside_a_body_without_end_is_refused_like_headers(endless: bytes, port: int) -> None:
    a_problem(await sent(port, POST + b"Transfer-Encoding: chunked\r\n\r\n", endless), 431, "headers-too-large")


async def test_trailers_are_read_over_and_are_no_headers_of_the_request(port: int) -> None:
    head = b"POST /headers" + HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

    answer = await sent(port, head + b"2\r\n{}\r\n0\r\nX-API-Key: dk_test\r\n\r\n")

    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == ["host", "transfer-encoding", "connection"]


async def test_a_body_in_very_many_chunks_is_heard_to_its_end(port: int) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

    answer = await sent(port, head, *[b"1\r\nx\r\n" * 100] * 30, b"0\r\n\r\n")

    assert answer.endswith(b"\r\n\r\n3000")


async def test_a_url_that_nobody_can_take_apart_is_refused(port: int) -> None:
    a_problem(await sent(port, b"GET /" + b"a" * 70_000 + HEAD + b"\r\n"), 414, "url-too-long")


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET /hea"],
        [b"GET /health" + HEAD] + [b"X: y\r\n"] * 20,
        [POST + b"Content-Length: 9\r\n\r\n"] + [b"z"] * 8,
    ],
    ids=["stops", "drips headers", "drips a body"],
)
async def test_a_request_that_comes_too_slowly_is_refused(parts: list[bytes], port: int) -> None:
    began = asyncio.get_running_loop().time()

    answer = await sent(port, *parts, pause=0.1)

    a_problem(answer, 408, "too-slow")
    assert asyncio.get_running_loop().time() - began >= Impatient.receive_seconds


async def test_a_later_request_that_comes_too_slowly_is_refused_like_the_first(port: int) -> None:
    first = POST + b"Content-Length: 1\r\n\r\nx"

    answer = await sent(port, first, b"GET /hea", pause=0.05)

    served, _, refused = answer.partition(b"HTTP/1.1 408 ")
    assert served.startswith(b"HTTP/1.1 200 ")
    a_problem(b"HTTP/1.1 408 " + refused, 408, "too-slow")


async def test_a_connection_on_which_nothing_is_asked_is_closed_without_a_word(port: int) -> None:
    assert await sent(port) == b""


async def test_a_body_in_pieces_is_heard_to_its_end_and_the_connection_stays(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(DEADLINE):
        for number in (6, 7, 8):  # longer, all together, than one of them may take
            writer.write(POST + b"Content-Length: %d\r\n\r\n" % number)
            for _ in range(number):
                await asyncio.sleep(0.06)
                writer.write(b"x")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(1) == b"%d" % number
    writer.close()


async def test_a_client_that_waits_for_a_slow_answer_is_not_the_slow_one(port: int) -> None:
    following = b"GET /health" + HEAD + b"Connection: close\r\n"

    answer = await sent(port, b"GET /slow" + HEAD + b"\r\n" + following, b"", b"\r\n", pause=0.75)

    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert b"at last" in answer


async def test_a_client_may_ask_whether_to_go_on(port: int) -> None:
    answer = await sent(
        port, POST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", b"{}", pause=0.1
    )

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


@pytest.mark.parametrize("wish", [b"websocket", b"h2c"])
async def test_a_wish_for_another_protocol_is_not_heard(wish: bytes, port: int) -> None:
    upgrade = b"Connection: Upgrade, close\r\nUpgrade: " + wish + b"\r\n\r\n"

    answer = await sent(port, b"GET /health" + HEAD + upgrade)

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_request_that_has_begun_to_arrive_when_the_gateway_stops_is_answered() -> None:
    async with gateway(GatewayHttp) as server:
        place = server.servers[0]
        reader, writer = await asyncio.open_connection(*place.sockets[0].getsockname())
        writer.write(b"GET /hea")
        async with asyncio.timeout(DEADLINE):
            while not any(getattr(each, "url", b"") for each in server.server_state.connections):  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            server.should_exit = True
            while place.sockets:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            writer.write(b"lth" + HEAD + b"Connection: close\r\n\r\n")
            answer = await reader.read()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 200 ")
