"""HTTP as uvicorn speaks it, but for what it leaves open: how much a client may send as headers, and how slowly."""

import asyncio
from typing import ClassVar
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.problems import PROBLEM_JSON, Problem, body_of
from gateway.safe_headers import ALWAYS, NO_STORE
from stage.telemetry import get_logger

log = get_logger(__name__)

URL_BYTES = 65_535
"""What httptools can take apart."""


class GatewayHttp(HttpToolsProtocol):
    """Refuses with a problem what never becomes a request: unreadable bytes, endless headers, requests that do not end.

    uvicorn has no limit of its own for the last two, so that few clients could hold all memory and connections.
    Trailers are measured like headers and then dropped: uvicorn would add them to the headers, for nobody to expect.
    """

    head_bytes: ClassVar[int] = 64 * 1_024  # request line and headers, or trailers; one more read may come on top
    receive_seconds: ClassVar[float] = 60  # from a request's first byte to its last: a callback may bring 10 MiB

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._receiving, self._in_head = True, False  # its first request is awaited
        self._fieldless, self._fields = False, 0
        self.url = b""
        self._patience: asyncio.TimerHandle | None = None
        self._expect_more()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._expect_nothing()

    def data_received(self, data: bytes) -> None:
        self._fieldless = False
        super().data_received(data)
        if self._receiving and not self._fieldless:
            self._fields += len(data)
            if self._fields > self.head_bytes:
                self._too_much()
        if not self._receiving:
            self._expect_nothing()
        elif self._patience is None:
            self._expect_more()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._receiving, self._in_head, self._fields = True, True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._fieldless, self._fields = False, True, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._fieldless, self._fields = True, 0  # between two pieces of a body there are but a few bytes
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._receiving = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if len(self.url) > URL_BYTES:
            self._refuse(Problem(414, "url-too-long", f"the URL takes more than {URL_BYTES} bytes"))
        self._refuse(Problem(400, "bad-request", "these bytes are no HTTP request"))

    def shutdown(self) -> None:
        """Close when nothing is asked, and after the answer when something is: a request may have arrived in part."""
        if not self._in_head:
            super().shutdown()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: who would rather speak something else is answered in HTTP."""

    def _expect_more(self) -> None:
        self._patience = self.loop.call_later(self.receive_seconds, self._too_slow)

    def _expect_nothing(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _too_slow(self) -> None:
        if self._answering():  # the client is not the one who is waited for
            self._expect_more()
        elif self._asks_nothing():
            self.transport.close()
        else:
            self._refuse(Problem(408, "too-slow", f"the request did not arrive within {self.receive_seconds:g} s"))

    def _too_much(self) -> None:
        if self._asks_nothing():
            self.transport.close()
        else:
            self._refuse(Problem(431, "headers-too-large", f"the headers take more than {self.head_bytes} bytes"))

    def _asks_nothing(self) -> bool:
        """Whether nothing was asked yet, or what was asked has its answer: there is nothing to refuse."""
        cycle: RequestResponseCycle | None = self.cycle
        return not self._in_head and (cycle is None or cycle.response_complete)

    def _answering(self) -> bool:
        """Whether an answer is on its way, or an earlier request of this connection waits for its own."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return cycle.response_started or not cycle.more_body or bool(self.pipeline)

    def _refuse(self, problem: Problem) -> None:
        """Say why, unless an answer is on its way already, and hang up."""
        self._expect_nothing()
        if self.transport.is_closing():
            return
        if not self._answering():
            self.transport.write(_answer(problem, self.server_state.default_headers))
        self.transport.close()


def _answer(problem: Problem, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    request_id = str(uuid4())
    log.warning("refused before it was a request", status=problem.status, kind=problem.kind, request_id=request_id)
    body = body_of(problem, "/", request_id).model_dump_json(exclude_none=True).encode()
    headers: list[tuple[bytes, bytes]] = [
        *default_headers, *ALWAYS, NO_STORE, (b"x-request-id", request_id.encode()), (b"connection", b"close"),
        (b"content-type", PROBLEM_JSON.encode()), (b"content-length", b"%d" % len(body)),
    ]  # fmt: skip
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[problem.status] + lines + b"\r\n" + body
