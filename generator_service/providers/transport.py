"""How a request leaves for a provider: once, in bounded time, and never after its claim has run out."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx

from generator_service.boot_time import boot_time

LARGEST_ANSWER = 64 * 1024 * 1024  # bytes: ten pictures as data: URIs, with room
CONNECT_SECONDS = 5.0

# An asyncio task inherits it, so it reaches the transport through any client in between.
_send_by: ContextVar[float | None] = ContextVar("send_by", default=None)


class NeverSent(Exception):
    """Surely nothing was asked: no connection came about, or the claim had run out."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class AnswerLost(Exception):
    """Something was asked, and what came of it is not known."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Refused(Exception):
    """The provider answered, with something else than success."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.headers, self.body = status, headers, body


Fault = (NeverSent, AnswerLost, Refused)


@contextmanager
def sending_by(moment: float | None) -> Iterator[None]:
    """Let nothing leave after `moment` of `boot_time()`, as long as the block lasts. None: no limit."""
    token = _send_by.set(moment)
    try:
        yield
    finally:
        _send_by.reset(token)


@dataclass
class Trip:
    """One request on its way."""

    send_by: float | None
    written: bool = False
    """The body began to leave: from here on it may have been heard."""

    async def watch(self, event: str, _: Mapping[str, Any]) -> None:
        """Hears from httpcore what it is about to do; raising stops it from doing so."""
        if not event.endswith(("send_request_headers.started", "send_request_body.started")):
            return
        if self.send_by is not None and boot_time() >= self.send_by:
            raise NeverSent("the claim had run out before the request could leave")
        # A request that says how long its body is and ends before it asks for nothing.
        self.written = event.endswith("body.started")


class OneShot(httpx.AsyncBaseTransport):
    """Sends each request once and reads the whole answer, within `seconds` altogether.

    Gives back successes only: whatever else happens escapes as `NeverSent`, `AnswerLost` or `Refused`, which no
    client in between repeats.
    """

    def __init__(self, seconds: float, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self._seconds = seconds
        self._inner = inner or httpx.AsyncHTTPTransport(retries=0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trip = Trip(_send_by.get())
        # Whatever the client says: `replicate` 1.0.7 takes the timeout off its creates.
        timeout = httpx.Timeout(self._seconds, connect=min(CONNECT_SECONDS, self._seconds)).as_dict()
        request.extensions = {**request.extensions, "timeout": timeout, "trace": trip.watch}
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._inner.handle_async_request(request)
                body = await _whole(response)
        except (httpx.HTTPError, httpx.StreamError, OSError, EOFError) as fault:
            # Not the fault's own words: they may quote a header, and so the token.
            if trip.written:
                raise AnswerLost(f"the answer was lost ({type(fault).__name__})") from None
            raise NeverSent(f"no connection came about ({type(fault).__name__})") from None
        if not response.is_success:
            raise Refused(response.status_code, response.headers, body)
        return httpx.Response(response.status_code, content=body, request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _whole(response: httpx.Response) -> bytes:
    """The body, unpacked. The connection is given back in any case."""
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise AnswerLost("the answer is larger than any we take")
    finally:
        await response.aclose()
    return bytes(body)
