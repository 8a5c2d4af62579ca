"""Every route of the real application, called with no key, with somebody else's, and with one that may not."""

import statistics
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from darkroom.local.stack import Stack
from gateway.callers import Scope
from gateway.keys import new_key
from gateway.operations import NewKey, Operations
from schemas.clock import utc_now
from schemas.identity import job_id_of, partition_of
from tests.integration.gateway.keyed import ASK, Keyed, a_key, bearing, gateway_tables

PUBLIC = {
    "/", "/health", "/health/ready", "/docs", "/docs/oauth2-redirect", "/static-offline-docs", "/openapi.json",
    "/asyncapi", "/asyncapi.json", "/hooks/{provider}/{kid}/{job_id}/{generation_id}/{attempt}/{proof}",
}  # fmt: skip
"""All that is served to strangers. Whoever adds to this says why a stranger may have it."""
BODY = {"revision": 1, "confirm_cost": True}
"""What any route of a job can read, so that nothing but the caller is refused."""


@pytest.fixture(scope="module")
async def doors(servers: Stack) -> AsyncIterator[Operations]:
    async with gateway_tables(servers) as pool:
        yield Operations(pool)


@pytest.fixture(scope="module")
async def gateway(servers: Stack) -> AsyncIterator[Keyed]:
    async with Keyed.open(servers) as gateway:
        yield gateway


@pytest.fixture(scope="module")
async def owner(doors: Operations) -> NewKey:
    return await a_key(doors, "owner")


@pytest.fixture(scope="module")
async def stranger(doors: Operations, owner: NewKey) -> NewKey:
    return await a_key(doors, "stranger")


@pytest.fixture(scope="module")
async def job_id(gateway: Keyed, owner: NewKey) -> str:
    """A job of the owner's."""
    answer = await gateway.http.post("/api/v1/generate", json=ASK, headers=bearing(owner))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def guarded(gateway: Keyed) -> Iterator[tuple[str, str]]:
    """Method and path of every route that is not public, as the application has them today."""
    for route in iter_route_contexts(gateway.app.routes):
        if route.path not in PUBLIC:
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                yield method, (route.path or "").replace(":path}", "}")


async def ask(gateway: Keyed, method: str, path: str, job_id: str, **headers: str) -> httpx.Response:
    """Call a route, about this job."""
    url = path.format(job_id=job_id, index=0, name="fake/painter")
    body = None if method == "GET" else BODY
    return await gateway.http.request(method, url, json=body, headers=headers | {"X-Request-Id": "same"})


async def test_the_walk_finds_the_routes(gateway: Keyed) -> None:
    assert {
        ("POST", "/api/v1/generate"), ("GET", "/api/v1/status/{job_id}"), ("GET", "/api/v1/jobs"),
        ("GET", "/api/v1/jobs/{job_id}/history"), ("GET", "/api/v1/jobs/{job_id}/outputs/{index}/content"),
        ("DELETE", "/api/v1/jobs/{job_id}/data"),
    } <= set(guarded(gateway))  # fmt: skip


async def test_no_route_but_the_public_ones_answers_without_a_key(gateway: Keyed, job_id: str) -> None:
    for method, path in guarded(gateway):
        answer = await ask(gateway, method, path, job_id)

        assert answer.status_code == 401, (method, path)
        assert answer.json()["type"] == "urn:darkroom:problem:unauthenticated"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_the_public_routes_want_no_key(gateway: Keyed) -> None:
    for path in ("/", "/health", "/docs", "/openapi.json", "/asyncapi", "/asyncapi.json"):
        assert (await gateway.http.get(path)).status_code == 200, path


async def test_anothers_job_is_not_there_on_any_route_and_looks_like_one_that_never_was(
    gateway: Keyed, owner: NewKey, stranger: NewKey, job_id: str
) -> None:
    never, walked = str(uuid4()), 0
    for method, path in guarded(gateway):
        if "{job_id}" not in path:
            continue
        foreign = await ask(gateway, method, path, job_id, **bearing(stranger))
        nothing = await ask(gateway, method, path, never, **bearing(stranger))
        own = await ask(gateway, method, path, job_id, **bearing(owner))

        assert (foreign.status_code, nothing.status_code) == (404, 404), (method, path)
        assert foreign.json()["type"] == "urn:darkroom:problem:no-such-job"
        assert foreign.content.replace(job_id.encode(), b"") == nothing.content.replace(never.encode(), b"")
        assert same_headers(foreign) == same_headers(nothing)
        assert own.json().get("type") != "urn:darkroom:problem:no-such-job", (method, path)
        walked += 1
    assert walked >= 4


async def test_anothers_jobs_are_in_no_list(gateway: Keyed, stranger: NewKey, job_id: str) -> None:
    answer = await gateway.http.get("/api/v1/jobs", headers=bearing(stranger))

    assert answer.status_code == 200
    assert job_id not in answer.text


async def test_a_key_without_the_scope_is_refused_on_every_route(
    gateway: Keyed, doors: Operations, owner: NewKey, job_id: str
) -> None:
    """What looks wants `read`, what changes something `submit`, figures `operate`: none contains another."""
    others = {
        needed: await a_key(doors, owner.tenant, [scope for scope in Scope if scope is not needed]) for needed in Scope
    }
    for method, path in guarded(gateway):
        needed = Scope.OPERATE if path == "/metrics" else Scope.READ if method == "GET" else Scope.SUBMIT
        answer = await ask(gateway, method, path, job_id, **bearing(others[needed]))

        assert answer.status_code == 403, (method, path)
        assert answer.json()["type"] == "urn:darkroom:problem:not-allowed"


async def test_a_suspended_tenant_may_do_nothing_and_is_told_so(gateway: Keyed, doors: Operations, job_id: str) -> None:
    suspended = await a_key(doors, "suspended")
    await doors.suspend("suspended", utc_now())

    for method, path in guarded(gateway):
        answer = await ask(gateway, method, path, job_id, **bearing(suspended))

        assert (answer.status_code, answer.json()["type"]) == (403, "urn:darkroom:problem:tenant-suspended")


async def test_a_mistyped_an_unknown_and_a_revoked_key_get_the_same_answer(
    gateway: Keyed, doors: Operations, owner: NewKey, job_id: str
) -> None:
    revoked = await a_key(doors, owner.tenant)
    await doors.revoke(revoked.id, utc_now())

    answers = [
        await ask(gateway, "GET", "/api/v1/status/{job_id}", job_id, **bearing(key))
        for key in (owner.key[:-1] + "!", new_key("test"), new_key("live"), revoked.key)
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(same_headers(answer).items()) for answer in answers}) == 1


async def test_one_idempotency_key_of_two_tenants_is_two_jobs(gateway: Keyed, owner: NewKey, stranger: NewKey) -> None:
    ids = []
    for key in (owner, stranger):
        headers = bearing(key) | {"Idempotency-Key": "order-1"}
        answer = await gateway.http.post("/api/v1/generate", json=ASK, headers=headers)
        ids.append(UUID(answer.json()["job_id"]))

    assert ids == [job_id_of("owner", "order-1"), job_id_of("stranger", "order-1")]
    assert ids[0] != ids[1]
    assert {number.version for number in ids} == {8}


async def test_how_long_an_answer_takes_does_not_tell_anothers_job_from_none(
    gateway: Keyed, stranger: NewKey, job_id: str
) -> None:
    place = partition_of(job_id.encode())  # what is read of the log depends on it, and is no secret
    never = next(each for each in (str(uuid4()) for _ in range(1_000)) if partition_of(each.encode()) == place)
    times: dict[str, list[float]] = {job_id: [], never: []}
    for _ in range(100):
        for each, taken in times.items():
            start = time.perf_counter()
            await ask(gateway, "GET", "/api/v1/status/{job_id}", each, **bearing(stranger))
            taken.append(time.perf_counter() - start)

    one, other = (statistics.median(taken) for taken in times.values())
    assert max(one, other) < 1.5 * min(one, other)


async def test_the_description_says_where_a_key_goes_on_every_route_that_wants_one(gateway: Keyed) -> None:
    described: dict[str, Any] = (await gateway.http.get("/openapi.json")).json()

    wanted = set(guarded(gateway))
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            needs = {name for either in operation.get("security", []) for name in either}
            assert needs == ({"bearer", "header"} if (method.upper(), path) in wanted else set()), (method, path)
    schemes = described["components"]["securitySchemes"]
    assert schemes["bearer"] | {"description": ""} == {"type": "http", "scheme": "bearer", "description": ""}
    assert schemes["header"] | {"description": ""} == {
        "type": "apiKey", "in": "header", "name": "X-API-Key", "description": "",
    }  # fmt: skip


def same_headers(answer: httpx.Response) -> dict[str, str]:
    """The headers of an answer, but for those that count requests."""
    return {name: value for name, value in answer.headers.items() if not name.startswith("ratelimit")}
