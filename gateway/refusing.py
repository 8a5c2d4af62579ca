"""Whatever goes wrong in a request is answered as a problem, in one shape, and logged without what was sent."""

import traceback
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.problems import PROBLEM_JSON, FieldError, Problem, body_of, invalid_fields
from gateway.request_id import request_id_of
from gateway.route_names import route_of
from stage.telemetry import get_logger

log = get_logger(__name__)

KINDS = {404: "not-found", 405: "method-not-allowed"}
"""What the framework refuses by itself, in our words: its own differ between versions of Python."""


def install(app: FastAPI) -> None:
    """Answer everything that goes wrong in `app` in this one shape."""

    async def problem(request: Request, raised: Exception) -> Response:
        assert isinstance(raised, Problem)  # noqa: S101 - for the type checker
        return _answer(request, raised)

    async def http(request: Request, raised: Exception) -> Response:
        assert isinstance(raised, HTTPException)  # noqa: S101 - for the type checker
        status = raised.status_code
        kind = KINDS.get(status, "internal" if status >= 500 else "bad-request")
        return _answer(request, Problem(status, kind, str(raised.detail), headers=raised.headers))

    async def validation(request: Request, raised: Exception) -> Response:
        assert isinstance(raised, RequestValidationError)  # noqa: S101 - for the type checker
        return _answer(request, invalid_fields([FieldError.of(error) for error in raised.errors()]))

    async def bug(request: Request, raised: Exception) -> Response:
        # Without the exception's own words, which may quote what was sent.
        stack = "".join(traceback.format_tb(raised.__traceback__))
        log.error("a request failed", route=route_of(request.scope), fault=_kinds(raised), stack=stack)
        return _answer(request, Problem(500, "internal", "something broke on our side; the request id names it"))

    async def gone(_: Request, __: Exception) -> Response:
        return Response(status_code=400)  # nobody reads it: the caller left in the middle of the body

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(Exception, bug)


def _answer(request: Request, problem: Problem) -> Response:
    body = body_of(problem, quote(request.scope["path"]), request_id_of(request))
    return JSONResponse(
        body.model_dump(exclude_none=True), status_code=problem.status, headers=problem.headers,
        media_type=PROBLEM_JSON,
    )  # fmt: skip


def _kinds(raised: BaseException) -> str:
    """What kind of exception it is, and which it came from."""
    cause = raised.__cause__ or raised.__context__
    return type(raised).__name__ if cause is None else f"{type(raised).__name__} after {_kinds(cause)}"


class SaidOnce:
    """Ends a bug here once it was logged and answered: the server would log it again, with the exception's words."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception:
            if not answered:
                raise
