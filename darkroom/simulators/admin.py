"""`/_simulator`: the same for every simulator, for tests in other processes and other languages."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from darkroom.simulators.bill import Bill
from darkroom.simulators.clock import SimulatedClock
from darkroom.simulators.post import Delivery


class Simulator(Protocol):
    """What the admin routes need of one."""

    clock: SimulatedClock

    @property
    def settings(self) -> BaseModel:
        """How it behaves."""

    @property
    def deliveries(self) -> list[Delivery]:
        """Every try to send a webhook."""

    def bill(self) -> Bill:
        """Every create."""

    def faults(self) -> list[dict[str, Any]]:
        """Each fault with its counts."""

    def use_json(self, given: Any) -> None:
        """Take these faults."""

    def tell(self, **settings: Any) -> None:
        """Change settings."""

    def advance(self, seconds: float) -> datetime:
        """Move on."""

    def reset(self) -> None:
        """Forget."""


class ClockChange(BaseModel):
    """What `PUT /_simulator/clock` takes."""

    model_config = ConfigDict(extra="forbid")

    advance: float = Field(0.0, ge=0, description="Seconds.")
    frozen: bool | None = None


def admin_routes(simulator: Simulator) -> list[Route]:
    """Bill, deliveries, faults, settings, clock and reset, as JSON. Needs no token."""

    async def bill(_: Request) -> Response:
        return JSONResponse(simulator.bill().model_dump(mode="json"))

    async def webhooks(_: Request) -> Response:
        return JSONResponse([delivery.model_dump(mode="json") for delivery in simulator.deliveries])

    async def reset(_: Request) -> Response:
        simulator.reset()
        return JSONResponse({"reset": True})

    def told(path: str, take: Callable[[Any], object], show: Callable[[], Any]) -> Route:
        return Route(path, _told_or_shown(take, show), methods=["GET", "PUT"])

    return [
        Route("/bill", bill),
        Route("/webhooks", webhooks),
        Route("/reset", reset, methods=["POST"]),
        told("/faults", simulator.use_json, simulator.faults),
        told("/settings", lambda given: simulator.tell(**given), lambda: simulator.settings.model_dump(mode="json")),
        told("/clock", lambda given: change_clock(simulator, given), lambda: clock_of(simulator)),
    ]


def clock_of(simulator: Simulator) -> dict[str, Any]:
    """What time it is there."""
    return {"now": simulator.clock.now().isoformat(), "frozen": simulator.clock.frozen}


def change_clock(simulator: Simulator, given: Any) -> None:
    """Move on, stop, or run again."""
    change = ClockChange.model_validate(given)
    if change.frozen is True:
        simulator.clock.freeze()
    elif change.frozen is False:
        simulator.clock.resume()
    simulator.advance(change.advance)


def _told_or_shown(take: Callable[[Any], object], show: Callable[[], Any]) -> Callable[[Request], Awaitable[Response]]:
    """PUT takes, both show; a 422 says what is wrong with what was given."""

    async def route(request: Request) -> Response:
        try:
            if request.method == "PUT":
                take(await request.json())
        except ValidationError as fault:
            return JSONResponse({"wrong": json.loads(fault.json(include_url=False, include_input=False))}, 422)
        except (ValueError, TypeError) as fault:
            return JSONResponse({"wrong": str(fault)}, 422)
        return JSONResponse(show())

    return route
