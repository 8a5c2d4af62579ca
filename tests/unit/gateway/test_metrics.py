"""What the gateway counts, and who may see it."""

from prometheus_client import REGISTRY
from starlette.datastructures import Headers

from gateway.callers import Caller, Scope
from gateway.problems import Problem
from tests.builders import JOB
from tests.unit.gateway.http import calling
from tests.unit.gateway.test_app import ORIGINAL, a_problem

STATUS = "/api/v1/status/{job_id}"


class KeyDoor:
    """Lets in whoever brings a scope for a key."""

    async def admit(self, headers: Headers) -> Caller:
        """A caller with that scope, and with no other."""
        return Caller("acme", frozenset({Scope(headers["x-api-key"])}))


def counted(name: str, **labels: str) -> float:
    """How often that was counted by now."""
    return REGISTRY.get_sample_value(f"darkroom_{name}", labels) or 0


async def test_requests_are_counted_by_route_and_never_by_what_was_asked() -> None:
    labels = {"route": STATUS, "method": "GET", "status": "4xx"}
    before = counted("http_requests_total", **labels), counted("http_request_seconds_count", route=STATUS)
    async with calling() as client:
        for job in (JOB, "1", "%00"):
            await client.get(f"/api/v1/status/{job}")
        shown = (await client.get("/metrics")).text

    after = counted("http_requests_total", **labels), counted("http_request_seconds_count", route=STATUS)
    assert after == (before[0] + 3, before[1] + 3)
    assert f'darkroom_http_requests_total{{method="GET",route="{STATUS}",status="4xx"}}' in shown
    assert str(JOB) not in shown


async def test_unknown_routes_and_methods_are_one_series() -> None:
    labels = {"route": "other", "method": "other", "status": "4xx"}
    before = counted("http_requests_total", **labels)
    async with calling() as client:
        for number in range(3):
            await client.request(f"MKCOL{number}", f"/nowhere/{number}")

    assert counted("http_requests_total", **labels) == before + 3


async def test_accepted_jobs_are_counted() -> None:
    before = counted("facts_accepted_total", topic="job.requested")
    async with calling() as client:
        await client.post("/api/v1/generate", content=ORIGINAL)
        await client.post("/api/v1/generate", content="{}")

    assert counted("facts_accepted_total", topic="job.requested") == before + 1


async def test_metrics_are_for_operators() -> None:
    async with calling(door=KeyDoor()) as client:
        seen = await client.get("/metrics", headers={"X-API-Key": "operate"})
        refused = await client.get("/metrics", headers={"X-API-Key": "read"})

    assert seen.status_code == 200
    assert seen.headers["content-type"].startswith("text/plain")
    a_problem(refused, 403, "not-allowed")


async def test_a_refusal_for_the_rate_is_counted_by_itself() -> None:
    class FullDoor:
        async def admit(self, headers: Headers) -> Caller:
            raise Problem(429, "rate-limited", "wait")

    before = counted("http_requests_limited_total", route=STATUS)
    async with calling(door=FullDoor()) as client:
        await client.get(f"/api/v1/status/{JOB}")

    assert counted("http_requests_limited_total", route=STATUS) == before + 1
