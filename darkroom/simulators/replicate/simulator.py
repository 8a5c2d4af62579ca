"""Replicate on a port of this machine."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from darkroom.simulators.admin import admin_routes
from darkroom.simulators.bill import Bill
from darkroom.simulators.clock import SimulatedClock
from darkroom.simulators.faults import Fault
from darkroom.simulators.post import Delivery
from darkroom.simulators.replicate.courier import Courier
from darkroom.simulators.replicate.creating import Creating, Way
from darkroom.simulators.replicate.delivery import deliver
from darkroom.simulators.replicate.desk import Desk
from darkroom.simulators.replicate.faults import FAULTS
from darkroom.simulators.replicate.models import MODELS, SimulatedModel
from darkroom.simulators.replicate.reading import Reading
from darkroom.simulators.replicate.settings import ReplicateSettings
from darkroom.simulators.replicate.world import World
from darkroom.simulators.server import LOCAL, listen, serving


class ReplicateSimulator:
    """Serves while its `async with` block runs. The same seed, the same calls, the same answers, times aside.

    `url` is what REPLICATE_BASE_URL takes; the API is under its `/v1`. Every other name is safe to use from the test
    that runs it, and over HTTP under `/_simulator`.
    """

    def __init__(
        self, *, seed: int = 0, faults: Sequence[Fault] = (), models: Sequence[SimulatedModel] = MODELS,
        clock: SimulatedClock | None = None, host: str = LOCAL, port: int = 0, **settings: Any,
    ) -> None:  # fmt: skip
        self.clock = clock or SimulatedClock()
        self._world = World(self.clock, ReplicateSettings.model_validate(settings), seed, tuple(faults), tuple(models))
        self._courier = Courier(self._world)
        self._host, self._port = host, port
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen on the port. `PortTakenError` escapes."""
        listening = listen(self._host, self._port)
        self._port = listening.getsockname()[1]
        self._world.here = f"http://{self._host}:{self._port}"
        await self._running.enter_async_context(serving(self._app(), listening))
        self._running.push_async_callback(self._courier.stop)
        return self

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    async def __aexit__(self, *_: object) -> None:
        """Stop serving, and send no more webhooks."""
        await self._running.aclose()

    @property
    def url(self) -> str:
        """For REPLICATE_BASE_URL."""
        return self._world.base

    @property
    def api_url(self) -> str:
        """For clients that want the version in the URL."""
        return f"{self._world.base}/v1"

    @property
    def webhook_secret(self) -> str:
        """What webhooks are signed with."""
        return self._world.secret

    @property
    def deliveries(self) -> list[Delivery]:
        """Every try to send a webhook so far."""
        return list(self._world.post.deliveries)

    @property
    def settings(self) -> ReplicateSettings:
        """How it behaves when nothing goes wrong."""
        return self._world.settings

    def bill(self) -> Bill:
        """Every create so far, and what was charged."""
        return self._world.bill()

    def use(self, *faults: Fault) -> None:
        """These faults from now on, instead of those before; counting starts anew."""
        self._world.use(faults)

    def faults(self) -> list[dict[str, Any]]:
        """Each fault, how many calls it was about, and how often it struck."""
        return self._world.plan.report()

    def tell(self, **settings: Any) -> None:
        """Change settings, for what happens from now on."""
        self._world.tell(settings)

    def advance(self, seconds: float) -> datetime:
        """Move the simulator's clock on."""
        return self.clock.advance(seconds)

    def reset(self) -> None:
        """Forget predictions, bill, deliveries, limits and counts. Faults, settings and the clock stay."""
        self._courier.forget()
        self._world.clear()

    def use_json(self, given: Any) -> None:
        """The faults in this JSON from now on. `ValidationError` escapes."""
        self.use(*FAULTS.validate_python(given))

    def _app(self) -> Starlette:
        async def delivered(request: Request) -> Response:
            return await deliver(self._world, request)

        desk = Desk(self._world)
        api = [*_creates(Creating(self._world, desk, self._courier)), *_reads(Reading(self._world, desk))]
        routes = [
            Mount("/v1", routes=api),
            Route("/delivery/{token}/{name}", delivered),
            Mount("/_simulator", routes=admin_routes(self)),
        ]
        return Starlette(routes=routes)


def _creates(creating: Creating) -> list[Route]:
    """What costs."""

    def route(path: str, way: Way) -> Route:
        async def create(request: Request) -> Response:
            return await creating.create(request, way)

        return Route(path, create, methods=["POST"])

    return [
        route("/predictions", "version"),
        route("/models/{owner}/{name}/predictions", "model"),
        route("/deployments/{owner}/{name}/predictions", "deployment"),
    ]


def _reads(reading: Reading) -> list[Route]:
    """What does not."""
    return [
        Route("/predictions", reading.predictions),
        Route("/predictions/{id}", reading.prediction),
        Route("/predictions/{id}/cancel", reading.cancel, methods=["POST"]),
        Route("/models", reading.models),
        Route("/models/{owner}/{name}", reading.model),
        Route("/models/{owner}/{name}/versions", reading.model),
        Route("/models/{owner}/{name}/versions/{version}", reading.model),
        Route("/webhooks/default/secret", reading.secret),
        Route("/account", reading.account),
    ]
