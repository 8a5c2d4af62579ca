"""Routes whose arguments we read ourselves: FastAPI's way to read them takes as long as all else about a request."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

Make = Callable[[Request], Awaitable[Any]]
Read = Callable[[Request], Any]

TEXT = (str, str | None)


class LeanRoute(APIRoute):
    """Calls its function with just what FastAPI would call it with, and is described by FastAPI as any other route.

    That holds as long as the arguments are simple: the request, plain text of the path, optional plain text of a
    header, and what a coroutine makes of the request alone. A request with a query goes FastAPI's own way. A function
    that needs anything else, or promises anything but a `Response`, is refused with a `TypeError` when its route is
    made. What it raises is answered as everywhere. Nothing is closed behind a request, since nothing is opened.

    It is lean among an application's own routes; in a router that is included it is a route as any other.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **described: Any) -> None:
        super().__init__(path, endpoint, **described)
        self.app = _lean(self.dependant, self.app)


def _lean(dependant: Dependant, whole: ASGIApp) -> ASGIApp:
    """An application that calls the function of `dependant`, or `whole` when there is a query to be read."""
    endpoint = dependant.call
    if not iscoroutinefunction(endpoint) or get_type_hints(endpoint).get("return") is not Response:
        raise TypeError(f"{endpoint} is no coroutine that returns a Response: it cannot belong to a lean route")
    makes, reads = tuple(_makes(dependant)), tuple(_reads(dependant))
    asked = {each.name: each.get_default() for each in dependant.query_params}

    async def lean(scope: Scope, receive: Receive, send: Send) -> None:
        if asked and scope["query_string"]:
            await whole(scope, receive, send)
            return
        request = Request(scope, receive, send)
        arguments = dict(asked)
        for name, make in makes:  # first, as FastAPI does: who may not call is told so before anything else
            arguments[name] = await make(request)
        for name, read in reads:
            arguments[name] = read(request)
        response = await endpoint(**arguments)
        await response(scope, receive, send)

    return lean


def _makes(dependant: Dependant) -> Iterator[tuple[str, Make]]:
    """What is made of the request alone, by the argument's name."""
    for each in dependant.dependencies:
        reads = [read for _, read in _reads(each)]
        alone = reads == [_itself] and not each.query_params and not each.dependencies
        call = each.call if iscoroutinefunction(each.call) else getattr(each.call, "__call__", None)  # noqa: B004
        if each.name is None or call is None or not iscoroutinefunction(call) or not alone:
            raise TypeError(f"{each.call} is no coroutine of the request alone: it cannot belong to a lean route")
        yield each.name, call


def _reads(dependant: Dependant) -> Iterator[tuple[str, Read]]:
    """What is read from the request, by the argument's name."""
    beyond = (
        dependant.body_params, dependant.cookie_params, dependant.response_param_name,
        dependant.background_tasks_param_name, dependant.security_scopes_param_name,
        dependant.http_connection_param_name,
    )  # fmt: skip
    if any(beyond):
        raise TypeError(f"{dependant.call} takes more than path, headers and query: it cannot belong to a lean route")
    for field in (*dependant.path_params, *dependant.header_params):
        told = field.field_info
        if told.annotation not in TEXT or told.metadata or told.validation_alias not in (None, field.alias):
            raise TypeError(f"{field.name} of {dependant.call} is not plain text: it cannot be read by a lean route")
    for field in dependant.path_params:
        yield field.name, partial(_path, field.alias)
    for field in dependant.header_params:
        if field.get_default() is not None:
            raise TypeError(f"{field.name} of {dependant.call} must be None when it is missing from a lean route")
        yield field.name, partial(_header, field.alias.encode())
    if dependant.request_param_name is not None:
        yield dependant.request_param_name, _itself


def _itself(request: Request) -> Request:
    return request


def _path(name: str, request: Request) -> str:
    value: str = request.scope["path_params"][name]
    return value


def _header(name: bytes, request: Request) -> str | None:
    for given, value in request.scope["headers"]:
        if given == name:
            text: str = value.decode("latin-1")
            return text
    return None
