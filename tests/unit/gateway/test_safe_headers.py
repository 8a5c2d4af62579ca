"""Headers that are on every answer, whatever it is."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.middleware import wrapped
from tests.unit.gateway.http import calling


def with_answer(**headers: str) -> Starlette:
    """An application whose one answer brings these headers."""

    async def answer(_: Request) -> Response:
        return Response(headers={name.replace("_", "-"): value for name, value in headers.items()})

    return Starlette(routes=[Route("/", answer)])


async def answered(app: Starlette, hsts_seconds: int = 0) -> httpx.Headers:
    transport = httpx.ASGITransport(app=wrapped(app, hsts_seconds=hsts_seconds))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get("/")).headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("GET", "/nowhere", 404), ("PUT", "/health", 405), ("POST", "/api/v1/generate", 422)],
)
async def test_every_answer_is_safe_to_show_and_kept_by_nobody(method: str, path: str, status: int) -> None:
    async with calling() as client:
        answer = await client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in answer.headers


async def test_what_an_answer_says_of_itself_stays() -> None:
    headers = await answered(with_answer(cache_control="private", content_security_policy="default-src 'self'"))

    assert headers.get_list("Cache-Control") == ["private"]
    assert headers.get_list("Content-Security-Policy") == ["default-src 'self'"]


async def test_an_answer_that_can_be_asked_for_again_by_its_etag_may_be_kept() -> None:
    assert "Cache-Control" not in await answered(with_answer(etag='"1"'))


async def test_browsers_are_told_to_insist_on_tls_only_where_that_was_asked_for() -> None:
    assert (await answered(with_answer(), hsts_seconds=3_600))["Strict-Transport-Security"] == "max-age=3600"
