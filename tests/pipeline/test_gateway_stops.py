"""A gateway is stopped under load, and Kafka stands still: nothing accepted is lost, and nobody is left hanging."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from uuid import UUID, uuid4

import aiohttp
import httpx
import pytest

from darkroom.local.ports import HOST, claim
from darkroom.local.services import healthy
from schemas.events import JobRequested
from tests.pipeline.driver import DEADLINE, Pipeline, until
from tests.pipeline.operator import paused

ASK = {"model": "fake/painter", "prompt": "a quay"}
CLIENTS = 24


class Gateway:
    """A second gateway, which a test may stop."""

    def __init__(self, url: str, process: asyncio.subprocess.Process) -> None:
        self.url, self._process = url, process

    def told_to_stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        return await asyncio.wait_for(self._process.wait(), 20)


@pytest.fixture
async def second(pipeline: Pipeline) -> AsyncIterator[Gateway]:
    """Beside the gateway of the stack, on the same servers."""
    port = claim("gateway", None)
    environ = {**pipeline.stack.environ, "GATEWAY_PORT": str(port), "SERVICE_INSTANCE": "gateway-second"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", env=environ)

    async def ready() -> bool:
        try:
            return await healthy(port)
        except OSError:
            return False

    await until(ready, 30, "the second gateway to be ready")
    yield Gateway(f"http://{HOST}:{port}", process)
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_a_gateway_that_is_stopped_under_load_loses_no_accepted_job_and_cuts_off_no_request(
    pipeline: Pipeline, second: Gateway
) -> None:
    accepted: set[UUID] = set()
    outcomes: Counter[str] = Counter()
    moved: list[bool] = []

    async def post(http: aiohttp.ClientSession, base: str, key: str) -> bool:
        try:
            async with http.post(f"{base}/api/v1/generate", json=ASK, headers={"Idempotency-Key": key}) as answer:
                outcomes[str(answer.status)] += 1
                if answer.status == 202:
                    accepted.add(UUID((await answer.json())["job_id"]))
                return answer.status == 202
        except aiohttp.ClientConnectorError:
            outcomes["refused"] += 1  # nothing was sent: another gateway is asked
        except aiohttp.ClientError as fault:
            outcomes[f"cut off: {type(fault).__name__}"] += 1
        return False

    async def client(number: int) -> None:
        anew = number % 2 == 0  # half of them connect for each request
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1, force_close=anew)) as http:
            key = str(uuid4())
            while await post(http, second.url, key):
                key = str(uuid4())
            moved.append(await post(http, pipeline.stack.url("gateway"), key))

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(client(number))

        async def under_load() -> bool:
            return outcomes["202"] > 4 * CLIENTS

        await until(under_load, 30, "the gateway to be under load")
        second.told_to_stop()

    code = await second.ended()
    jobs = [await pipeline.end_of(job_id) for job_id in accepted]

    assert code == 0
    assert {job["status"] for job in jobs} == {"COMPLETED"}
    assert moved == [True] * CLIENTS
    assert set(outcomes) == {"202", "refused"}


async def test_a_gateway_that_is_stopped_says_so_to_who_asks_whether_it_is_ready(second: Gateway) -> None:
    async with httpx.AsyncClient(base_url=second.url) as kept:
        before = await kept.get("/health/ready")
        second.told_to_stop()

        async def not_ready() -> bool:
            return (await kept.get("/health/ready")).status_code == 503

        await until(not_ready, 5, "the gateway to be ready no more")

    assert before.json()["checks"]["gateway"] == "ok"
    assert await second.ended() == 0


async def test_whoever_waits_at_a_gateway_that_is_stopped_is_answered_at_once(
    pipeline: Pipeline, second: Gateway
) -> None:  # fmt: skip
    async with paused(pipeline.stack, "model", ASK["model"]), httpx.AsyncClient(timeout=60) as http:
        job_id = await pipeline.submit(**ASK)
        path = f"{second.url}/api/v1/status/{job_id}"
        waiting = [asyncio.create_task(http.get(f"{path}?wait=60")) for _ in range(50)]
        await http.get(f"{path}?wait=1")  # who came after them has waited for a second
        second.told_to_stop()
        began = monotonic()
        answers = await asyncio.gather(*waiting)
        took = monotonic() - began

    assert [(answer.status_code, answer.json()["done"]) for answer in answers] == [(200, False)] * 50
    assert took < 3
    assert await second.ended() == 0
    await pipeline.end_of(job_id)


@asynccontextmanager
async def standing_still(pipeline: Pipeline) -> AsyncIterator[None]:
    """Kafka takes bytes and answers nothing."""
    pid = pipeline.stack.describe("kafka").pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.usefixtures("local_servers_only")
async def test_a_job_whose_acknowledgement_was_lost_is_one_job_when_it_is_sent_again(pipeline: Pipeline) -> None:
    key = str(uuid4())
    headers = {"Idempotency-Key": key}
    await pipeline.submit()
    async with standing_still(pipeline):
        lost = await pipeline.http.post("/api/v1/generate", json=ASK, headers=headers)

    answers: list[httpx.Response] = []

    async def accepted() -> bool:
        answers.append(await pipeline.http.post("/api/v1/generate", json=ASK, headers=headers))
        return answers[-1].status_code != 503  # Kafka may take a moment to catch its breath

    await until(accepted, DEADLINE, "Kafka to be back")
    assert (lost.status_code, lost.headers["Idempotency-Key"], int(lost.headers["Retry-After"]) > 0) == (503, key, True)
    assert answers[-1].status_code == 202
    job_id = UUID(answers[-1].json()["job_id"])

    async def said_twice() -> bool:
        said = [record for record in await pipeline.records(JobRequested.topic) if record.key == str(job_id).encode()]
        return len(said) >= 2

    await until(said_twice, DEADLINE, "the first try to be in the log as well")
    await pipeline.end_of(job_id)
    await pipeline.settled()

    assert len(await pipeline.calls(job_id)) == 1
