"""Pages of other origins call us only where they are named."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.cors import origins_in
from gateway.middleware import wrapped

APP, OTHER = "https://app.example.org", "https://other.example.org"


@asynccontextmanager
async def asked(*origins: str) -> AsyncIterator[tuple[httpx.AsyncClient, Sequence[str]]]:
    """A client of an application that these origins may call, and the methods that came through to it."""
    heard: list[str] = []

    async def route(request: Request) -> Response:
        heard.append(request.method)
        if request.url.query == "bug":
            raise ZeroDivisionError
        return Response(headers={"Idempotency-Key": "k"})

    app = Starlette(routes=[Route("/", route, methods=["GET", "POST", "OPTIONS"])])
    transport = httpx.ASGITransport(app=wrapped(app, cors_origins=origins), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client, heard


def preflight(origin: str) -> dict[str, str]:
    """What a browser asks before it posts a job with a key."""
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }


async def test_a_page_that_is_named_may_call_and_see_the_headers_it_needs() -> None:
    async with asked(APP) as (client, _):
        answer = await client.get("/", headers={"Origin": APP})

    shown = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert shown >= {"Location", "Idempotency-Key", "ETag", "Retry-After", "RateLimit", "X-Request-Id"}
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


async def test_a_preflight_is_answered_without_a_key_and_without_the_application() -> None:
    async with asked(APP) as (client, heard):
        answer = await client.options("/", headers=preflight(APP))

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert heard == []


async def test_a_page_that_is_not_named_is_not_let_in() -> None:
    async with asked(APP) as (client, _):
        asking, calling = (
            await client.options("/", headers=preflight(OTHER)),
            await client.get("/", headers={"Origin": OTHER}),
        )

    assert asking.status_code == 400
    assert "Access-Control-Allow-Origin" not in {*asking.headers, *calling.headers}


async def test_nobody_is_let_in_where_nobody_is_named() -> None:
    async with asked() as (client, _):
        answers = [await client.get("/", headers={"Origin": APP}), await client.options("/", headers=preflight(APP))]

    assert [name for answer in answers for name in answer.headers if name.startswith("access-control")] == []


async def test_a_page_can_read_what_went_wrong() -> None:
    async with asked(APP) as (client, _):
        answer = await client.get("/?bug", headers={"Origin": APP})

    assert answer.status_code == 500
    assert answer.headers["Access-Control-Allow-Origin"] == APP


def test_origins_are_read_as_they_are_written() -> None:
    assert origins_in(" https://app.example.org, http://localhost:3000 ,http://[::1]:80,") == (
        "https://app.example.org", "http://localhost:3000", "http://[::1]:80",
    )  # fmt: skip
    assert origins_in("") == ()


@pytest.mark.parametrize(
    "wrong", ["*", "null", "app.example.org", "https://*.example.org", "https://a.org/", "https://A.org", "ftp://a.org"]
)
def test_what_is_no_origin_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        origins_in(f"https://app.example.org,{wrong}")
