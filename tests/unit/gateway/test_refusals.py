"""What is refused before any route of ours has a say, and what becomes of a bug."""

from urllib.parse import unquote

import httpx
import pytest
import structlog
from fastapi import APIRouter
from structlog.testing import CapturingLogger

from gateway import refusing
from gateway.app import build
from gateway.callers import OpenDoor
from gateway.listing import listing
from gateway.middleware import wrapped
from tests.fakes import Views
from tests.unit.gateway.http import calling
from tests.unit.gateway.test_app import SECRET, a_problem

JOB_ROUTE = "/api/v1/jobs/6009d616-4b74-86cf-88d8-7186de4a1853"


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/api/v1/jobs/", "/api/v1/generate/", "/api/v1", "//gateway.example/", "/static-offline-docs/..%2fx",
     "/static-offline-docs/%00", "/static-offline-docs/", "/docs/oauth2-redirect", "/redoc", "/%F0%9F%8C%86"],
)  # fmt: skip
async def test_a_path_that_is_none_of_ours_is_404_and_leads_nowhere_else(path: str) -> None:
    async with calling() as client:
        answer = await client.get(f"http://localhost{path}")

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:darkroom:problem:not-found"
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PATCH", f"{JOB_ROUTE}/outputs/0/content", "GET"), ("OPTIONS", "/api/v1/generate", "POST"),
     ("GET", f"{JOB_ROUTE}/data", "DELETE"),
     ("PUT", "/", "GET"), ("TRACE", "/docs", "GET"), ("POST", "/static-offline-docs/x", "GET, HEAD")],
)  # fmt: skip
async def test_a_method_that_a_path_does_not_know_is_405_with_those_it_knows(
    method: str, path: str, allowed: str
) -> None:
    async with calling() as client:
        answer = await client.request(method, path)

    a_problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == allowed


async def test_other_routes_do_not_answer_to_head() -> None:
    async with calling() as client:
        answer = await client.head("/docs")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_health_may_be_asked_for_without_a_body(path: str) -> None:
    async with calling() as client:
        assert (await client.head(path)).status_code == 200


@pytest.mark.parametrize("job", ["%00", "%zz", "%ff%fe", "%ed%a0%80", "a%0d%0ab", "%2e%2e", "1e9"])
async def test_a_path_that_makes_no_sense_is_a_job_that_is_not_there(job: str) -> None:
    async with calling() as client:
        answer = await client.get(f"/api/v1/status/{job}")

    assert answer.status_code == 404
    assert unquote(answer.json()["instance"]) == unquote(f"/api/v1/status/{job}")


async def test_no_more_of_a_path_is_given_back_than_a_reader_needs() -> None:
    async with calling() as client:
        answer = await client.get(f"/api/v1/status/{'x' * 60_000}")

    assert answer.status_code == 404
    assert len(answer.content) < 1_000


@pytest.mark.parametrize(
    "query",
    ["cursor={", 'cursor={"a":', "cursor=%00", "limit=[1", "limit=1e400", "created_from={}", "metadata=%7B",
     "model=%00", "status=PENDING%00", "created_from=0001-01-01T00:00:00%2B23:59"],
)  # fmt: skip
async def test_a_query_that_cannot_be_meant_is_422_and_names_the_field(query: str) -> None:
    app = wrapped(build([listing(Views())], [], OpenDoor()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
        answer = await client.get(f"/api/v1/jobs?{query}")

    assert answer.status_code == 422
    assert [error["field"].removeprefix("query.") for error in answer.json()["errors"]] == [query.partition("=")[0]]


async def test_a_bug_says_nothing_of_what_was_sent_and_neither_do_the_logs() -> None:
    router, lines = APIRouter(), CapturingLogger()

    @router.get("/broken/{what}")
    async def broken(what: str) -> None:
        try:
            raise ValueError(what)
        except ValueError as fault:
            raise ZeroDivisionError(f"cannot divide {what}") from fault

    app = wrapped(build([router], [], OpenDoor()))
    transport = httpx.ASGITransport(app=app)  # which would raise what reached the server, for it to log
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refusing, "log", structlog.wrap_logger(lines, processors=[]))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get(f"/broken/{SECRET}", headers={"X-Request-Id": "r-1"})

    [line] = [call.kwargs for call in lines.calls]
    assert answer.status_code == 500
    assert (answer.json()["type"], answer.json()["request_id"]) == ("urn:darkroom:problem:internal", "r-1")
    assert {"Traceback", "divide", "ZeroDivision"} & set(answer.text.split()) == set()
    assert (line["route"], line["fault"]) == ("/broken/{what}", "ZeroDivisionError after ValueError")
    assert "in broken" in line["stack"]
    assert SECRET not in str(line) + answer.json()["detail"]


async def test_a_job_store_that_does_not_answer_is_503_with_what_to_do() -> None:
    async with calling(views=Views(fault=ConnectionRefusedError(SECRET))) as client:
        answer = await client.get("/api/v1/status/6009d616-4b74-86cf-88d8-7186de4a1853")

    a_problem(answer, 503, "unavailable")
    assert answer.headers["Cache-Control"] == "no-store"
