"""A service's health, asked over HTTP."""

import asyncio

import httpx

from stage.service import Check, health_app


async def answers() -> None:
    """A dependency that is there."""


async def refuses() -> None:
    raise ConnectionRefusedError("no way in with hush")


async def hangs() -> None:
    await asyncio.sleep(60)


async def ask(path: str, **checks: Check) -> httpx.Response:
    transport = httpx.ASGITransport(app=health_app(checks))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.get(path)


async def test_a_process_that_lives_is_healthy_whatever_it_depends_on() -> None:
    answer = await ask("/health", postgres=refuses)

    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


async def test_a_service_is_ready_when_everything_it_needs_answers() -> None:
    answer = await ask("/health/ready", postgres=answers, kafka=answers)

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {"postgres": "ok", "kafka": "ok"}}


async def test_a_service_that_is_not_ready_says_what_is_missing_and_no_secret() -> None:
    answer = await ask("/health/ready", postgres=refuses, kafka=hangs)

    assert answer.status_code == 503
    assert answer.json()["checks"] == {"postgres": "ConnectionRefusedError", "kafka": "TimeoutError"}
    assert "hush" not in answer.text
