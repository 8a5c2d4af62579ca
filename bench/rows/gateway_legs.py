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
from bench.many_jobs import TENANT, fill, job_number, stored_jobs
from bench.pinning import apart
from bench.place import NoFigureError
from darkroom.local.ports import HOST
from darkroom.local.stack import Stack
from gateway.callers import Scope
from gateway.operations import Operations
from gateway.tables import SCHEMA
from schemas.clock import utc_now
from stage.database import new_pool

GATEWAY, BARE, ALONE = "gateway", "bare", "alone"
"""Who is asked. `alone` is the limit's process without Kafka and PostgreSQL."""
OPEN, KEYS = "open", "keys"
"""Whom the gateway lets in."""
POST, GET = "POST", "GET"
STATUS = {POST: 202, GET: 200}
OUTPUTS = 4
DIFFERENT = 1_000  # jobs whose status is asked for, in turns
MICROSECONDS = 1_000_000
TICK = 0.01
"""Seconds in which the kernel counts: a server that took less of a short round did not take nothing."""


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
    told: Mapping[str, str]
    """The headers of each request: the caller's key, where there are keys."""
    apart: bool
    """Whether server and loader have a core of their own each."""

    @classmethod
    @asynccontextmanager
    async def open(cls, home: Path, jobs: int, auth: str) -> AsyncIterator["Legs"]:
        """Start everything, and stop it at the end. With `auth` "keys" the gateway lets nobody in without one."""
        async with AsyncExitStack() as opened:
            stack = await opened.enter_async_context(place.stack(home, ["gateway"], {"GATEWAY_AUTH": auth}))
            await _fill(stack, jobs)
            told = {"Authorization": f"Bearer {await _key(stack)}"} if auth == KEYS else {}
            numbers = random.Random(jobs).choices(stored_jobs(jobs), k=DIFFERENT)  # noqa: S311 - no secret
            asked = [f"/api/v1/status/{job_number(number)}" for number in numbers]
            await _answers(stack.url("gateway"), asked[0], told, home)
            bare, port = await opened.enter_async_context(bare_gateway(home, stack.environ))
            asking = await opened.enter_async_context(loader())
            pids = {name: stack.describe(name).pid or 0 for name in (GATEWAY, "kafka", "postgres")}
            own = apart([pids[GATEWAY], bare], asking.process.pid, [pids["kafka"], pids["postgres"]])
            meter = Meter(pids | {BARE: bare, "loader": asking.process.pid})
            at = int(stack.url("gateway").rpartition(":")[2])
            yield cls(asking, meter, {GATEWAY: at, BARE: port, ALONE: port}, asked, told, own)

    async def leg(self, side: str, method: str, connections: int, seconds: float) -> Leg:
        """Ask one side for so long."""
        prefix = "/alone" if side == ALONE else ""
        requests = [_post(prefix, self.told)] if method == POST else [_get(prefix + at, self.told) for at in self.asked]
        load = Load(self.ports[side], connections, seconds, requests, STATUS[method])
        before = self.meter.seconds()
        answered = await self.loader.ask(load)
        taken = difference(before, self.meter.seconds())
        return Leg(answered, taken | {name: max(taken[name], TICK) for name in (GATEWAY, BARE)})


async def _fill(stack: Stack, jobs: int) -> None:
    pool = await new_pool(stack.environ["LEDGER_DATABASE_URL"], schema="ledger", name="bench")
    async with pool:
        await fill(pool, jobs, whole=jobs, outputs=OUTPUTS)


async def _key(stack: Stack) -> str:
    """A key of whoever the jobs belong to, that may submit and read."""
    async with await new_pool(stack.environ["GATEWAY_DATABASE_URL"], schema=SCHEMA, name="bench") as pool:
        scopes = (Scope.SUBMIT, Scope.READ)
        made = await Operations(pool).create(TENANT, "bench", scopes, None, utc_now(), word="bench", new_tenant=True)
    return made.key


async def _answers(url: str, asked: str, told: Mapping[str, str], home: Path) -> None:
    """Leave what the gateway answers where the limit looks for it, so that both answer the same bytes."""
    async with aiohttp.ClientSession(url, headers=told) as http:
        for name, answer in (
            (ACCEPTED, await http.post("/api/v1/generate", json=ASK)),
            (SHOWN, await http.get(asked)),
        ):
            body = await answer.read()
            if not answer.ok:
                raise NoFigureError(f"the gateway answered {answer.status}")
            (home / name).write_bytes(body)


def _post(prefix: str, told: Mapping[str, str]) -> str:
    body = json.dumps(ASK)
    more = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return _head(f"POST {prefix}/api/v1/generate", {**told, **more}) + body


def _get(path: str, told: Mapping[str, str]) -> str:
    return _head(f"GET {path}", told)


def _head(asked: str, told: Mapping[str, str]) -> str:
    lines = [f"{asked} HTTP/1.1", f"Host: {HOST}", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""])
