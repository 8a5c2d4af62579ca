"""A lean route does what FastAPI's own would do, or is not made."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, Body, Cookie, Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator

from gateway.lean_routes import LeanRoute
from gateway.problems import not_allowed
from gateway.refusing import install


async def caller_of(request: Request) -> str:
    """Who calls. Leaves a note on the request, and lets nobody in who is called a stranger."""
    request.state.seen = True
    if request.headers.get("x-caller") == "stranger":
        raise not_allowed("read")
    return request.headers.get("x-caller", "nobody")


class Letter:
    """Makes something of the request by being called."""

    async def __call__(self, request: Request) -> str:
        return request.method


def an_app(route_class: type[APIRoute]) -> FastAPI:
    """A route that takes whatever a lean route may take, and shows what it was given."""
    router = APIRouter(route_class=route_class)

    @router.get("/jobs/{job_id}/{rest:path}", response_model=dict[str, str])
    async def show(  # noqa: PLR0913 - one of each kind
        caller: Annotated[str, Depends(caller_of)],
        letter: Annotated[str, Depends(Letter())],
        request: Request,
        job_id: Annotated[str, Path(description="Its id.")],
        rest: str,
        prefer: Annotated[str | None, Header(description="What is preferred.", examples=["wait=1"])] = None,
        if_none_match: Annotated[str | None, Header()] = None,
        wait: Annotated[int | None, Query(ge=1, le=60)] = None,
        loud: bool = False,
    ) -> Response:
        """Show it."""
        given = [caller, letter, request.state.seen, job_id, rest, prefer, if_none_match, wait, loud]
        return Response(json.dumps(given), 201, {"X-More": "yes"}, "application/json")

    app = FastAPI()
    app.router.routes.extend(router.routes)
    install(app)
    return app


REFUSED = "lean route"
HEADERS: dict[str, list[Any]] = {
    "none": [],
    "all": [("Prefer", "wait=3"), ("If-None-Match", '"a", "b"'), ("X-Caller", "acme")],
    "repeated": [("prefer", "first"), ("PREFER", "second"), ("if_none_match", "not its name")],
    "alike": [("Prefer-Not", "to say"), ("Pre", "fer"), ("X-Prefer", "no")],
    "empty": [("Prefer", "")],
    "beyond ASCII": [("Prefer", "Gr\xfc\xdfe".encode("latin-1"))],
    "of a stranger": [("X-Caller", "stranger")],
}
PATHS = [
    "/jobs/1/a", "/jobs/a%20b/c%2Fd/e", "/jobs/%F0%9F%8C%86/x", "/jobs/1/a?wait=5&loud=yes", "/jobs/1/a?wait=61",
    "/jobs/1/a?wait=x&unknown=1", "/jobs/1/a?", "/jobs//a", "/jobs/1",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
async def test_it_answers_what_fastapis_own_route_answers(path: str, headers: list[Any]) -> None:
    lean, plain = [await _answer(an_app(kind), "GET", path, headers) for kind in (LeanRoute, APIRoute)]

    assert lean == plain


async def test_another_method_is_refused_as_everywhere() -> None:
    lean, plain = [await _answer(an_app(kind), "POST", "/jobs/1/a", []) for kind in (LeanRoute, APIRoute)]

    assert lean == plain
    assert lean[0] == 405


def test_it_is_described_as_fastapis_own_route_is() -> None:
    lean, plain = [json.dumps(an_app(kind).openapi()) for kind in (LeanRoute, APIRoute)]

    assert lean == plain


async def test_only_a_query_goes_fastapis_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[str] = []
    own = APIRoute.get_route_handler

    def watched(route: APIRoute) -> Any:
        handle = own(route)

        async def seen(request: Request) -> Response:
            went.append(str(request.url))
            return await handle(request)

        return seen

    monkeypatch.setattr(APIRoute, "get_route_handler", watched)
    app = an_app(LeanRoute)
    for path in ("/jobs/1/a", "/jobs/1/a?wait=5"):
        await _answer(app, "GET", path, [])

    assert went == ["http://lean/jobs/1/a?wait=5"]


OTHER_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "a number in the path": ("/{given}", int),
    "bounded text": ("/{given}", Annotated[str, Path(max_length=3)]),
    "text that is changed": ("/{given}", Annotated[str, AfterValidator(str.lower)]),
    "a number in a header": ("/", Annotated[int | None, Header()], None),
    "a header that must be there": ("/", Annotated[str, Header()]),
    "a header with another default": ("/", Annotated[str | None, Header()], "small"),
    "every such header": ("/", Annotated[list[str] | None, Header()], None),
    "a header under two names": ("/", Annotated[str | None, Header(validation_alias="x-size")], None),
    "a body": ("/", Annotated[dict[str, str], Body()]),
    "a cookie": ("/", Annotated[str | None, Cookie()], None),
    "the response": ("/", Response),
    "work for later": ("/", BackgroundTasks),
}


@pytest.mark.parametrize("wanted", OTHER_ARGUMENTS.values(), ids=OTHER_ARGUMENTS)
def test_a_function_that_wants_anything_else_is_refused(wanted: tuple[Any, ...]) -> None:
    path, annotation, *default = wanted

    async def function(given: Any) -> Response:
        return Response()

    function.__annotations__["given"], function.__defaults__ = annotation, tuple(default)

    with pytest.raises(TypeError, match=REFUSED):
        LeanRoute(path, function)


async def _is_closed(request: Request) -> AsyncIterator[str]:
    yield request.method


async def _takes_a_query(request: Request, page: int = 1) -> str:
    return f"{request.method} {page}"


async def _takes_a_header(request: Request, accept: Annotated[str | None, Header()] = None) -> str:
    return f"{request.method} {accept}"


async def _needs_another(request: Request, caller: Annotated[str, Depends(caller_of)]) -> str:
    return f"{request.method} {caller}"


async def _wants_nothing() -> str:
    return ""


def _blocks(request: Request) -> str:
    return request.method


@pytest.mark.parametrize(
    "made", [_is_closed, _takes_a_query, _takes_a_header, _needs_another, _wants_nothing, _blocks],
    ids=lambda made: made.__name__,
)  # fmt: skip
def test_what_is_made_of_more_than_the_request_is_refused(made: Callable[..., Any]) -> None:
    async def function(given: Any) -> Response:
        return Response()

    function.__annotations__["given"] = Annotated[str, Depends(made)]

    with pytest.raises(TypeError, match=REFUSED):
        LeanRoute("/", function)


async def _returns_facts() -> dict[str, str]:
    return {}


def _answers_in_a_thread() -> Response:
    return Response()


@pytest.mark.parametrize("function", [_returns_facts, _answers_in_a_thread])
def test_a_function_that_is_no_coroutine_of_a_response_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=REFUSED):
        LeanRoute("/", function)


async def _answer(app: FastAPI, method: str, path: str, headers: list[Any]) -> tuple[int, list[Any], bytes]:
    """What a caller is given back."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lean") as client:
        answer = await client.request(method, path, headers=headers)
    return answer.status_code, answer.headers.raw, answer.content
