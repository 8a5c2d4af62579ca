"""The two sides of `gateway`: the gateway and its limit, asked the same by the same loader."""

import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench import place
from bench.bare_gateway import ACCEPTED, ASK, SHOWN, bare_gateway
from bench.cost import Meter, difference
from bench.load import Answered, Load, Loader, loader
from bench.many_jobs import fill, job_number, stored_jobs
from bench.pinning import apart
from bench.place import NoFigureError
from darkroom.local.ports import HOST
from darkroom.local.stack import Stack
from stage.database import new_pool

GATEWAY, BARE, ALONE = "gateway", "bare", "alone"
"""Who is asked. `alone` is the limit's process without Kafka and PostgreSQL."""
POST, GET = "POST", "GET"
STATUS = {POST: 202, GET: 200}
OUTPUTS = 4
DIFFERENT = 1_000  # jobs whose status is asked for, in turns
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Leg:
    """One round of one side: what came of the load, and CPU seconds by who took them."""

    answered: Answered
    cpu: Mapping[str, float]

    def cost(self, name: str) -> float:
        """Core-microseconds that it took for each answer."""
        return MICROSECONDS * self.cpu[name] / len(self.answered.times)


@dataclass(frozen=True)
class Legs:
    """Servers, a gateway on top of a filled ledger, its limit beside it, and who asks both."""

    loader: Loader
    meter: Meter
    ports: Mapping[str, int]
    asked: Sequence[str]
    """The paths of the jobs that are asked for."""
    apart: bool
    """Whether server and loader have a core of their own each."""

    @classmethod
    @asynccontextmanager
    async def open(cls, home: Path, jobs: int) -> AsyncIterator["Legs"]:
        """Start everything, and stop it at the end."""
        async with AsyncExitStack() as opened:
            stack = await opened.enter_async_context(place.stack(home, ["gateway"], {}))
            await _fill(stack, jobs)
            numbers = random.Random(jobs).choices(stored_jobs(jobs), k=DIFFERENT)  # noqa: S311 - no secret
            asked = [f"/api/v1/status/{job_number(number)}" for number in numbers]
            await _answers(stack.url("gateway"), asked[0], home)
            bare, port = await opened.enter_async_context(bare_gateway(home, stack.environ))
            asking = await opened.enter_async_context(loader())
            pids = {name: stack.describe(name).pid or 0 for name in (GATEWAY, "kafka", "postgres")}
            own = apart([pids[GATEWAY], bare], asking.process.pid, [pids["kafka"], pids["postgres"]])
            meter = Meter(pids | {BARE: bare, "loader": asking.process.pid})
            at = int(stack.url("gateway").rpartition(":")[2])
            yield cls(asking, meter, {GATEWAY: at, BARE: port, ALONE: port}, asked, own)

    async def leg(self, side: str, method: str, connections: int, seconds: float) -> Leg:
        """Ask one side for so long."""
        prefix = "/alone" if side == ALONE else ""
        requests = [_post(f"{prefix}/api/v1/generate")] if method == POST else [_get(prefix + at) for at in self.asked]
        load = Load(self.ports[side], connections, seconds, requests, STATUS[method])
        before = self.meter.seconds()
        answered = await self.loader.ask(load)
        return Leg(answered, difference(before, self.meter.seconds()))


async def _fill(stack: Stack, jobs: int) -> None:
    pool = await new_pool(stack.environ["LEDGER_DATABASE_URL"], schema="ledger", name="bench")
    async with pool:
        await fill(pool, jobs, whole=jobs, outputs=OUTPUTS)


async def _answers(url: str, asked: str, home: Path) -> None:
    """Leave what the gateway answers where the limit looks for it, so that both answer the same bytes."""
    async with aiohttp.ClientSession(url) as http:
        for name, answer in (
            (ACCEPTED, await http.post("/api/v1/generate", json=ASK)),
            (SHOWN, await http.get(asked)),
        ):
            body = await answer.read()
            if not answer.ok:
                raise NoFigureError(f"the gateway answered {answer.status}")
            (home / name).write_bytes(body)


def _post(path: str) -> str:
    body = json.dumps(ASK)
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


def _get(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
