"""Where faults are made: the generators under a supervisor, the gateway that hears callbacks, a simulated Replicate."""

import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg
import httpx
from sqlalchemy.engine import make_url

from darkroom.local.home import make_home
from darkroom.local.keeper import Keeper
from darkroom.local.part import Part
from darkroom.local.ports import HOST, claim
from darkroom.local.prepare import exchange
from darkroom.local.services import service_part
from darkroom.local.stack import Stack, silent
from darkroom.local.supervisor import Supervisor
from darkroom.simulators.signing import secret_of
from tests.chaos.points import ORDERS, Orders
from tests.pipeline.driver import Pipeline

ROOT = Path(__file__).parents[2]
TOKEN = "r8_made_up"
ONE, TWO = "generator-1", "generator-2"
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Site:
    """All that a scenario can reach."""

    pipeline: Pipeline
    simulator: httpx.AsyncClient
    generators: Sequence[Keeper]
    orders: Orders

    @property
    def admin(self) -> "asyncpg.Connection[asyncpg.Record]":
        """The database, as its owner."""
        return self.pipeline.admin

    async def told(self, path: str) -> Any:
        """What the simulator answers to a GET."""
        answer = await self.simulator.get(path, timeout=60)
        return answer.raise_for_status().json()

    async def tell(self, path: str, body: Any) -> None:
        """Tell the simulator something."""
        (await self.simulator.put(path, json=body)).raise_for_status()

    async def predictions(self) -> list[dict[str, Any]]:
        """Everything the simulator ever accepted, as its list shows it."""
        found: list[dict[str, Any]] = []
        path: str | None = "/v1/predictions"
        while path:
            page = await self.told(path)
            found += page["results"]
            path = page["next"]
        return found


@asynccontextmanager
async def site(
    stack: Stack, seed: int, *, module: str = "tests.chaos.generator", replicas: int = 2,
    simulated: Mapping[str, str] = NOTHING, told: Mapping[str, str] = NOTHING, callbacks: bool = True,
) -> AsyncIterator[Site]:  # fmt: skip
    """Run `replicas` of `module`, the simulator and, with `callbacks`, the gateway, on the servers of `stack`.

    `simulated` are the simulator's options, `told` is what the generators are told beside the usual.
    """
    home = stack.home / f"chaos-{secrets.token_hex(3)}"
    make_home(home)
    ports = {name: claim(name) for name in ("simulator", "gateway", ONE, TWO)}
    environ = {**stack.environ, **settings(seed, ports, callbacks, home), **told}
    simulator = simulator_part(seed, ports["simulator"], environ, simulated)
    generators = [
        replace(service_part(name, "generator", ports[name], environ), argv=(sys.executable, "-m", module), cwd=ROOT)
        for name in (ONE, TWO)[:replicas]
    ]
    if module.endswith("naive"):
        generators = [replace(part, ready=_at_once) for part in generators]
    supervisor = Supervisor(home, silent)
    try:
        await supervisor.start(simulator, 0)
        if callbacks:
            await supervisor.start(replace(service_part("gateway", "gateway", ports["gateway"], environ), cwd=ROOT), 0)
        for part in generators:
            await supervisor.start(part, 1)
        url = make_url(stack.environ["DARKROOM_ADMIN_DATABASE_URL"]).set(database="darkroom")
        admin = await asyncpg.connect(url.render_as_string(hide_password=False))
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=simulator.url, headers=headers) as http:
            keepers = [supervisor.keeper(part.name) for part in generators]
            yield Site(Pipeline(stack, http, admin), http, keepers, Orders(home / "orders"))
        await admin.close()
    finally:
        await supervisor.stop()


def settings(seed: int, ports: Mapping[str, int], callbacks: bool, home: Path) -> dict[str, str]:
    """What gateway and generators are told: everything that takes minutes in life takes seconds here."""
    heard = {
        "CALLBACK_BASE_URL": f"http://{HOST}:{ports['gateway']}",
        "CALLBACK_KEYS": f"chaos={secrets.token_hex(16)}",
        "REPLICATE_WEBHOOK_SECRET": secret_of(seed),
    }
    return (heard if callbacks else {}) | {
        "MEDIA_GENERATOR_PROVIDER": "replicate",
        "REPLICATE_BASE_URL": f"http://{HOST}:{ports['simulator']}",
        "REPLICATE_API_TOKEN": TOKEN,
        "GENERATOR_RATE_PER_MINUTE": "replicate=60000",
        "GATEWAY_REQUESTS_PER_MINUTE": "0",  # nobody is held back: load is part of it
        "GATEWAY_JOBS_QUEUED": "0",
        "GENERATOR_MAX_ATTEMPTS": "20",  # a known failure is no end here: every output is emitted, or held
        "GENERATOR_CALL_TIMEOUT": "PT9S",  # 4 s in which a request may leave, 4.5 s for its answer
        "GENERATOR_LOOK_FOR": "PT12S",
        "INITIAL_RETRY_DELAY": "0.2",
        "MAX_RETRY_DELAY": "1",
        ORDERS: str(home / "orders"),
    }


def simulator_part(seed: int, port: int, environ: Mapping[str, str], options: Mapping[str, str]) -> Part:
    """The simulator as a process: what it accepted is charged, whoever dies."""
    usual = {"--port": str(port), "--seed": str(seed), "--picture-side": "16", "--creates-per-minute": "60000"}
    argv = [word for pair in {**usual, **options}.items() for word in pair]
    return Part(
        name="simulator",
        argv=(sys.executable, "-m", "darkroom", "simulate", "replicate", *argv),
        env=environ,
        port=port,
        url=f"http://{HOST}:{port}",
        ready=partial(_simulates, port),
        cwd=ROOT,
    )


async def _simulates(port: int) -> bool:
    request = f"GET /_simulator/settings HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    return (await exchange(port, request.encode())).split()[1:2] == [b"200"]


async def _at_once() -> bool:
    return True
