"""What the simulators' tests share: a moment, a client, somebody to call back."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.clock import SimulatedClock
from darkroom.simulators.server import LOCAL, listen, serving

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FLUX, SDXL = "black-forest-labs/flux-schnell", "stability-ai/sdxl"
TOKEN = {"authorization": "Bearer r8_test"}


def noon() -> SimulatedClock:
    """A clock that stands still at noon."""
    return SimulatedClock(NOON, frozen=True)


def asking(base: str) -> httpx.AsyncClient:
    """A client that knows where, and has a token."""
    return httpx.AsyncClient(base_url=base, headers=TOKEN, timeout=10)


async def create(client: httpx.AsyncClient, prompt: str = "a lighthouse", **body: Any) -> dict[str, Any]:
    """A prediction, accepted."""
    headers = body.pop("headers", {})
    given = {"prompt": prompt} | body.pop("input", {})
    answer = await client.post("/v1/predictions", json={"version": FLUX, "input": given} | body, headers=headers)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def again(client: httpx.AsyncClient, prediction: dict[str, Any]) -> dict[str, Any]:
    """The prediction as it stands now."""
    seen: dict[str, Any] = (await client.get(prediction["urls"]["get"])).json()
    return seen


async def made(simulator: ReplicateSimulator, client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    """A prediction, ten seconds after."""
    created = await create(client, **body)
    simulator.advance(10)
    return await again(client, created)


async def until(true: Callable[[], object], within: float = 5.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - whoever changes it does not know us
            await asyncio.sleep(0.005)


@dataclass
class Heard:
    """One call back."""

    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.raw)
        return said


@dataclass
class Receiver:
    """Somebody to call back: remembers, and answers what it was told to, or 200."""

    url: str
    heard: list[Heard] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def statuses(self) -> list[str]:
        return [one.body["status"] for one in self.heard]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Somebody to call back, while the block runs."""
    listening = listen(LOCAL, 0)
    receiver = Receiver(f"http://{LOCAL}:{listening.getsockname()[1]}/hook")

    async def hook(request: Request) -> Response:
        receiver.heard.append(Heard(dict(request.headers), await request.body()))
        return Response(status_code=receiver.answers.pop(0) if receiver.answers else 200)

    async with serving(Starlette(routes=[Route("/hook", hook, methods=["POST"])]), listening):
        yield receiver
