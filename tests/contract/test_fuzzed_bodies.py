"""Bodies that nobody means well with: each is answered by a 4xx problem, and nothing is published."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.app import build
from gateway.asks import Asks
from gateway.callers import OpenDoor
from gateway.publisher import Publisher
from gateway.queue_limit import QueueLimit
from gateway.quotes import Quotes
from gateway.request_id import RequestIds
from gateway.reuse import KnownRequests
from gateway.routes import api
from gateway.status import StatusReader
from schemas.catalogue import ModelCard, catalogue
from schemas.clock import utc_now
from tests.fakes import Ends, Links, Log, Tail, Views
from tests.unit.gateway.buckets import Buckets

JSON = {"Content-Type": "application/json"}
GOOD: dict[str, Any] = {"model": "fake/painter", "prompt": "a city"}
START = b'{"model": "fake/painter", "prompt": "a city", '
DEEP = 10_000


def an_app(log: Log, models: dict[str, ModelCard] | None = None) -> RequestIds:
    """The gateway's way in, on a log that keeps what it was sent."""
    known = models or dict(catalogue())
    store = Views()
    router = api(
        Publisher(log, 0.5), KnownRequests(store), StatusReader(store, Ends(0), Tail(), Links()),
        QueueLimit(Buckets(), 0), Asks(known), Quotes(known, lambda _: "fake"), utc_now,
    )  # fmt: skip
    return RequestIds(build([router], [], OpenDoor()))


LOG = Log()
GATEWAY = httpx.ASGITransport(app=an_app(LOG), raise_app_exceptions=False)


async def sent(body: bytes, headers: dict[str, str] | None = None) -> tuple[httpx.Response, list[Any]]:
    """The answer, and what was said of the job if it was accepted."""
    LOG.records.clear()
    async with httpx.AsyncClient(transport=GATEWAY, base_url="http://localhost") as client:
        answer = await client.post("/api/v1/generate", content=body, headers=JSON if headers is None else headers)
    return answer, [json.loads(record.value or b"") for record in LOG.records]


async def refused(body: bytes, status: int, kind: str, headers: dict[str, str] | None = None) -> None:
    answer, said = await sent(body, headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert answer.json()["type"] == f"urn:darkroom:problem:{kind}"
    assert said == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"null", b"true", b"5", b'"model"', b"[]", b"[{}]", b"{", b"}", b"{}{}", b'{"model"', b"\x00",
        START + b'"input": {"a": ' + b"[" * DEEP + b"]" * DEEP + b"}}",
        START + b'"input": ' + b'{"a": ' * DEEP + b"1" + b"}" * DEEP + b"}",
        START + b'"metadata": ' + b'{"a":' * DEEP,
        b"[" * 100_000,
        START + b'"seed": 1e400}', START + b'"seed": -1e400}', START + b'"seed": ' + b"9" * 10_000 + b"}",
        START + b'"input": {"fail_attempts": ' + b"9" * 10_000 + b"}}", START + b'"input": {"a": 1e400}}',
        START + b'"num_outputs": 1.0000000001}', START + b'"num_outputs": 1e1000}', START + b'"num_outputs": -0.5}',
        START + b'"num_outputs": true}', START + b'"seed": false}', START + b'"max_attempts": true}',
        START + b'"input": {"a": NaN}}', START + b'"seed": NaN}', START + b'"num_outputs": Infinity}',
        START + b'"input": {"a": -Infinity}}', START + b'"deadline": 1e999}', START + b'"deadline": 9e300}',
        b'{"model": "m", "prompt": "\\ud800"}', b'{"model": "m", "prompt": "\\udc00\\ud800"}',
        START + b'"input": {"\\ud800": 1}}', START + b'"metadata": {"a": "\\udfff"}}',
        b'{"model": "m", "prompt": "\xed\xa0\x80"}', b'{"model": "m", "prompt": "\xff\xfe"}',
        b'{"model": "m", "prompt": "\xc0\x80"}', b'{"model": "m", "prompt": "\xf4\x90\x80\x80"}',
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        *(json.dumps(GOOD).encode(coding) for coding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")),
        json.dumps(GOOD | {"prompt": "Schloß"}, ensure_ascii=False).encode("latin-1"),
        json.dumps(GOOD | {"prompt": "a\x00b"}).encode(), json.dumps(GOOD | {"prompt": "\x1b[2J"}).encode(),
        b'{"model": "m", "prompt": "a\x01b"}', json.dumps(GOOD | {"metadata": {"a\x00": "b"}}).encode(),
        json.dumps(GOOD | {"input": {"fail_outputs": {str(n): n for n in range(5_000)}}}).encode(),
        json.dumps(GOOD | {"input": {"fail_outputs": [0] * 30_000}}).encode(),
        b"model=fake/painter&prompt=a", gzip.compress(json.dumps(GOOD).encode()),
    ],
    ids=lambda body: f"{len(body)} {ascii(body[-24:])[2:]}",
)  # fmt: skip
async def test_what_cannot_be_meant_is_refused(body: bytes) -> None:
    await refused(body, 422, "invalid-input")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"},
        {"Content-Type": "text/json"}, {"Content-Type": "multipart/form-data; boundary=x"}, {"Content-Type": ""},
        {"Content-Type": "application/jsonp"}, {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "text/plain; application/json"}, {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "br, identity"},
        {"Origin": "https://elsewhere.example"},
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_not_called_json_is_not_read(headers: dict[str, str]) -> None:
    await refused(json.dumps(GOOD).encode(), 415, "unsupported-media-type", headers)


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Content-Type": "application/json"}, {"Content-Type": "Application/JSON ; Charset=UTF-8"},
        {"Content-Type": 'application/json;charset="utf-8"'}, {"Content-Type": "application/vnd.acme+json"},
        {"Content-Type": "application/json", "Content-Encoding": "identity"},
        {"Content-Type": "application/json", "Origin": "https://elsewhere.example"},
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_called_json_or_nothing_is_read(headers: dict[str, str]) -> None:
    answer, said = await sent(json.dumps(GOOD).encode(), headers)

    assert (answer.status_code, len(said)) == (202, 1)


@pytest.mark.parametrize(
    ("given", "taken"), [(b'"2"', 2), (b"2.0", 2), (b'"2", "num_outputs": 3', 3), (b'4, "num_outputs": 1e0', 1)]
)
async def test_a_number_may_come_as_text_as_it_always_could_and_of_two_fields_the_last_counts(
    given: bytes, taken: int
) -> None:
    _, [told] = await sent(START + b'"num_outputs": ' + given + b"}")

    assert told["num_outputs"] == taken


@pytest.mark.parametrize(
    "text",
    [
        "🌆👩\u200d👩\u200d👧", "שלום \u202eאב", "e\u0301", "\u00e9", "\ufdfa", "a\u0300\u0301\u0302" * 50, "\ufeffa",
        "\U0010ffff",
    ],
    ids=ascii,
)  # fmt: skip
async def test_text_is_kept_code_point_for_code_point(text: str) -> None:
    body = json.dumps(GOOD | {"prompt": text, "input": {"t": text}, "metadata": {"t": text}})
    _, [told] = await sent(body.encode())

    assert (told["prompt"], told["input"]["t"], told["metadata"]["t"]) == (text, text, text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["model", "prompt", "num_outputs", "seed", "output_format", "input", "metadata", "deadline",
                          "max_attempts", "fail_outputs", "fail_attempts"])  # fmt: skip
NEAR = st.dictionaries(FIELDS, VALUES, max_size=5).map(lambda changes: json.dumps(GOOD | changes).encode())
INPUTS = st.dictionaries(FIELDS, VALUES, max_size=3).map(lambda given: json.dumps(GOOD | {"input": given}).encode())
DAMAGED = st.builds(
    lambda whole, at, what: whole[: at % len(whole)] + what + whole[at % len(whole) :],
    NEAR, st.integers(0, 10_000), st.binary(min_size=1, max_size=4),
)  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NEAR | INPUTS | DAMAGED | st.binary(max_size=64))
async def test_whatever_is_sent_is_accepted_whole_or_refused_by_name(body: bytes) -> None:
    answer, said = await sent(body)

    assert answer.status_code in (202, 413, 422), answer.text
    assert len(said) == (answer.status_code == 202)
    if answer.status_code != 202:
        assert answer.headers["content-type"] == "application/problem+json"


@asynccontextmanager
async def listening(log: Log) -> AsyncIterator[int]:
    """The gateway's way in on a real port."""
    server = uvicorn.Server(uvicorn.Config(an_app(log), port=0, lifespan="off", log_level="critical"))
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


async def answered(port: int, request: bytes, *, breaks_off: bool = True) -> bytes:
    """What comes back for these bytes, after which nothing more is written."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    if breaks_off:
        writer.write_eof()
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


HEAD = b"POST /api/v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_a_body_that_breaks_off_or_is_framed_wrong_makes_no_job() -> None:
    log, body = Log(), json.dumps(GOOD).encode()
    cut = [
        CHUNKED, CHUNKED + b"%x\r\n" % len(body) + body[:9], CHUNKED + b"%x\r\n" % len(body) + body + b"\r\n",
        CHUNKED + b"zz\r\n" + body, HEAD + b"Content-Length: 500\r\n\r\n" + body, HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 9" + b"9" * 5_000 + b"\r\n\r\n", HEAD + b"Content-Length: 1, 2\r\n\r\nab",
    ]  # fmt: skip
    async with listening(log) as port:
        answers = [await answered(port, request) for request in cut]
        whole = await answered(port, CHUNKED + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", breaks_off=False)

    assert {answer[9:10] for answer in answers} <= {b"", b"4"}, answers
    assert (whole[9:12], len(log.records)) == (b"202", 1)
