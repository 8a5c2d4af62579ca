"""Answers that are no answers, and waiting for a client that may leave."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from darkroom.simulators.clock import SimulatedClock
from darkroom.simulators.server import HANG_UP


class Problem(JSONResponse):
    """An error, told as problem details."""

    media_type = "application/problem+json"


class CutShort(Response):
    """Sends so much of another answer, then ends the connection: `nothing`, the `headers`, or `half` the body."""

    def __init__(self, answer: Response, sent: Literal["nothing", "headers", "half"] = "nothing") -> None:
        super().__init__(answer.body, answer.status_code)
        self.raw_headers = list(answer.raw_headers)
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._sent != "nothing":
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            body = bytes(self.body)[: len(self.body) // 2] if self._sent == "half" else b""
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(0.05)  # hanging up throws away what the kernel has not taken yet
        hang_up: Callable[[], None] = scope[HANG_UP]
        hang_up()
        await until_gone(receive)


async def until_gone(receive: Receive) -> None:
    """Returns once the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def wait_for_client(request: Request, clock: SimulatedClock, moment: datetime) -> bool:
    """Wait until `moment`, by the simulator's clock. False at once when the client leaves before."""
    alarm, gone = clock.alarm(moment), asyncio.ensure_future(until_gone(request.receive))
    try:
        await asyncio.wait([alarm, gone], return_when=asyncio.FIRST_COMPLETED)
        return not gone.done()
    finally:
        alarm.cancel()
        gone.cancel()


def problem(status: int, detail: str, title: str | None = None, **more: Any) -> Problem:
    """An error in the shape that Replicate gives to most of its own."""
    body: dict[str, Any] = {"detail": detail, "status": status} | more
    return Problem({"title": title} | body if title else body, status)
