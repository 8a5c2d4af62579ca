"""Whoever was answered 202 by one gateway is never answered 404 by another, however far behind the ledger is."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from darkroom.local.postgres_place import discard
from darkroom.local.stack import Stack
from schemas.clock import utc_now
from schemas.events import GenerationSubmitted, MediaGenerated, UrlSource
from tests.conftest import IN_CONTAINERS, QUICK
from tests.pipeline.driver import Json, Pipeline, until

PAIRS = int(os.environ.get("PAIRS", "2000"))  # of each test; PAIRS=10000 for the whole promise
AT_ONCE = 32
RANKS = {"PENDING": 0, "PROCESSING": 1, "COMPLETED": 2}


class Gateways:
    """Two gateways: what is written to one is read from the other."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self.stack, self._http = stack, http
        self._urls = [stack.url("gateway"), stack.url("gateway-2")]

    async def submit(self, number: int, body: Json, key: str | None = None) -> tuple[int, Json]:
        headers = {"Idempotency-Key": key} if key else {}
        url = f"{self._urls[number % 2]}/api/v1/generate"
        async with self._http.post(url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def history(self, job_id: object) -> list[Json]:
        async with self._http.get(f"{self._urls[0]}/api/v1/jobs/{job_id}/history") as answer:
            facts: list[Json] = (await answer.json())["facts"]
            return facts

    async def status(self, number: int, job_id: object) -> tuple[int, Json]:
        async with self._http.get(f"{self._urls[number % 2]}/api/v1/status/{job_id}") as answer:
            return answer.status, await answer.json()


@pytest.fixture(scope="module")
async def two(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateways]:
    """Two gateways and a ledger; nothing is ever made, so all that happens to a job is what a test says."""
    if IN_CONTAINERS:
        pytest.skip("these tests stop and pause the ledger, which only a stack of their own allows")
    home = tmp_path_factory.mktemp("two-gateways")
    replicas = {"gateway": 2, "generator": 0, "uploader": 0}
    async with Stack(home, replicas=replicas, environ=QUICK) as stack, aiohttp.ClientSession() as http:
        yield Gateways(stack, http)
    discard(Path(home))


def an_ask(number: int) -> Json:
    """No two alike, and every field said."""
    return {
        "model": "acme/portraits", "prompt": f"a harbour {number} 🌆", "num_outputs": 1 + number % 3, "seed": number,
        "output_format": "png", "input": {"steps": number}, "metadata": {"order": str(number)}, "max_attempts": 2,
    }  # fmt: skip


async def pairs(two: Gateways, count: int) -> list[str]:
    """So many jobs, each written to one gateway and read at once from the other; what was wrong is left."""
    numbers, wrong = iter(range(count)), []

    async def write_and_read() -> None:
        for number in numbers:
            ask = an_ask(number)
            _, accepted = await two.submit(number, ask)
            code, job = await two.status(number + 1, accepted["job_id"])
            shown = {name: job.get(name) for name in ask}
            if code != 200 or shown != ask or job["status"] != "PENDING" or len(job["media"]) != ask["num_outputs"]:
                wrong.append(f"{code}: {job}")
            if number % 20 == 0:
                code, _ = await two.status(number, uuid4())
                if code != 404:
                    wrong.append(f"{code} for an id that nobody accepted")

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(write_and_read())
    return wrong


@asynccontextmanager
async def lagging(two: Gateways) -> AsyncIterator[None]:
    """The ledger stands still most of the time, and runs in between."""
    pid = two.stack.describe("ledger").pid
    assert pid is not None

    async def stumble() -> None:
        while True:
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(0.4)
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.1)

    stumbling = asyncio.create_task(stumble())
    try:
        yield
    finally:
        stumbling.cancel()
        os.kill(pid, signal.SIGCONT)


async def test_with_the_ledger_stopped_every_job_is_shown_whole_by_the_other_gateway(two: Gateways) -> None:
    await two.stack.stop("ledger")
    try:
        assert await pairs(two, PAIRS) == []
    finally:
        await two.stack.start("ledger")


async def test_with_the_ledger_lagging_every_job_is_shown_whole_by_the_other_gateway(two: Gateways) -> None:
    async with lagging(two):
        assert await pairs(two, PAIRS) == []


async def test_a_status_never_goes_back_while_the_ledger_comes_and_goes(two: Gateways) -> None:
    seen: dict[str, list[str]] = {}
    async with Pipeline.reach(two.stack) as pipeline, lagging(two):

        async def live(number: int) -> None:
            job_id = UUID((await two.submit(number, an_ask(0)))[1]["job_id"])
            facts: dict[str, Any] = {"generation": 0, "attempt": 1, "provider": "fake"}
            submitted = GenerationSubmitted.say(job_id, "dev", utc_now(), provider_id="1", outputs=(0,), **facts)
            source = UrlSource(url="https://acme.example/1.png")
            statuses = seen.setdefault(str(job_id), [(await two.status(number % 2, job_id))[1]["status"]])
            await pipeline.say(submitted, MediaGenerated.say(job_id, "dev", utc_now(), index=0, source=source, **facts))

            async def processing() -> bool:
                for each in range(2):
                    code, job = await two.status(each, job_id)
                    statuses.append(job["status"] if code == 200 else str(code))
                return statuses[-1] == "PROCESSING"

            await until(processing, 30, f"job {job_id} to go on")

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(live(number))

    assert all(statuses == sorted(statuses, key=RANKS.__getitem__) for statuses in seen.values())
    assert {statuses[0] for statuses in seen.values()} == {"PENDING"}


async def test_of_two_requests_under_one_key_the_first_in_the_log_is_the_job(two: Gateways) -> None:
    key = str(uuid4())
    await two.stack.stop("ledger")
    first, other = await two.submit(0, an_ask(1), key), await two.submit(1, an_ask(2), key)
    before = [await two.status(number, first[1]["job_id"]) for number in range(2)]
    await two.stack.start("ledger")

    async def both_are_known() -> bool:
        async with Pipeline.reach(two.stack) as pipeline:
            heard = await pipeline.admin.fetchval("SELECT count(*) FROM ledger.facts WHERE job_id = $1", job_id)
            return bool(heard == 2)

    job_id = first[1]["job_id"]
    await until(both_are_known, 30, "the ledger to know both requests")
    after = [await two.status(number, job_id) for number in range(2)]
    told = await two.history(job_id)
    again, refused = await two.submit(1, an_ask(1), key), await two.submit(0, an_ask(2), key)

    assert (first[0], other[0], other[1]["job_id"]) == (202, 202, job_id)
    assert [(code, job["prompt"]) for code, job in before + after] == [(200, "a harbour 1 🌆")] * 4
    assert [(fact["body"]["prompt"], fact["superseded"]) for fact in told] == [
        ("a harbour 1 🌆", False), ("a harbour 2 🌆", True),
    ]  # fmt: skip
    assert (again[0], again[1]["job_id"]) == (202, job_id)
    assert (refused[0], refused[1]["type"]) == (422, "urn:darkroom:problem:idempotency-key-reuse")
