"""One id per request: given back, logged, and named in every problem."""

import re
from uuid import uuid4

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAME = b"x-request-id"
GOOD = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def request_id_of(request: Request) -> str:
    """The id of this request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


class RequestIds:
    """Takes `X-Request-Id` when it is harmless, mints one otherwise, and answers with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        header = (NAME, request_id.encode())

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], header]
            await send(message)

        # Never unbound: each request is a task of its own, and what is bound ends with it.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        await self._app(scope, receive, answer)


def _given(scope: Scope) -> str | None:
    """The id that came with the request, when it is harmless."""
    for name, value in scope["headers"]:
        if name == NAME:
            given = value.decode("latin-1")
            return given if GOOD.fullmatch(given) else None
    return None
