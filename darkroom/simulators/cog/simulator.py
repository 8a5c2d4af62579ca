"""A Cog container on a port of this machine."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from darkroom.simulators.admin import admin_routes
from darkroom.simulators.answers import CutShort
from darkroom.simulators.bill import Bill
from darkroom.simulators.clock import SimulatedClock
from darkroom.simulators.cog.container import CogSettings, Container
from darkroom.simulators.cog.faults import COG_FAULTS, Busy, Unhealthy
from darkroom.simulators.faults import Fault, FaultPlan, Subject
from darkroom.simulators.post import Delivery
from darkroom.simulators.replicate.create import RefusedError, read_body
from darkroom.simulators.replicate.desk import answered
from darkroom.simulators.replicate.faults.answers import AnswerFault
from darkroom.simulators.server import LOCAL, listen, serving

VERSION = {"coglet": "0.17.0", "cog": "0.17.0", "python": "3.13.0"}
BUSY = "Already running a prediction"


class CogSimulator:
    """Serves while its `async with` block runs: `url` is what a client of a container is told."""

    def __init__(
        self, *, seed: int = 0, faults: Sequence[Fault] = (), clock: SimulatedClock | None = None, host: str = LOCAL,
        port: int = 0, **settings: Any,
    ) -> None:  # fmt: skip
        self.clock = clock or SimulatedClock()
        self._plan = FaultPlan(faults, seed)
        self._container = Container(self.clock, CogSettings.model_validate(settings), self._plan)
        self._host, self._port, self.url = host, port, ""
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen on the port. `PortTakenError` escapes."""
        listening = listen(self._host, self._port)
        self._port = listening.getsockname()[1]
        self.url = f"http://{self._host}:{self._port}"
        self._born = self.clock.now()
        await self._running.enter_async_context(serving(self._app(), listening))
        self._running.push_async_callback(self._container.stop)
        return self

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    async def __aexit__(self, *_: object) -> None:
        """Stop serving, and send no more webhooks."""
        await self._running.aclose()

    @property
    def settings(self) -> CogSettings:
        """How it behaves when nothing goes wrong."""
        return self._container.settings

    @property
    def deliveries(self) -> list[Delivery]:
        """Every try to send a webhook so far."""
        return list(self._container.post.deliveries)

    def bill(self) -> Bill:
        """Every create so far, and what was run."""
        return Bill.of([self._container.entry(at, line) for at, line in enumerate(self._container.lines, start=1)])

    def use(self, *faults: Fault) -> None:
        """These faults from now on; counting starts anew."""
        self._plan.use(faults)

    def use_json(self, given: Any) -> None:
        """The faults in this JSON from now on. `ValidationError` escapes."""
        self.use(*COG_FAULTS.validate_python(given))

    def faults(self) -> list[dict[str, Any]]:
        """Each fault with its counts."""
        return self._plan.report()

    def tell(self, **settings: Any) -> None:
        """Change settings, for what happens from now on."""
        changed = self._container.settings.model_dump() | settings
        self._container.settings = CogSettings.model_validate(changed)

    def advance(self, seconds: float) -> datetime:
        """Move the clock on."""
        return self.clock.advance(seconds)

    def reset(self) -> None:
        """Forget runs, bill and deliveries, and start counting faults anew."""
        self._container.clear()
        self._plan.restart()

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._index),
                Route("/health-check", self._health),
                Route("/predictions", self._create, methods=["POST"]),
                Route("/predictions/{id}", self._create, methods=["PUT"]),
                Route("/predictions/{id}/cancel", self._cancel, methods=["POST"]),
                Mount("/_simulator", routes=admin_routes(self)),
            ]
        )

    async def _index(self, _: Request) -> Response:
        urls = {"predictions_url": "/predictions", "predictions_idempotent_url": "/predictions/{prediction_id}"}
        more = {"predictions_cancel_url": "/predictions/{prediction_id}/cancel", "healthcheck_url": "/health-check"}
        return JSONResponse({"cog_version": VERSION["cog"]} | urls | more)

    async def _health(self, _: Request) -> Response:
        status = "BUSY" if len(self._container.running()) >= self.settings.slots else "READY"
        for fault in self._plan.strike(Subject("health"), Unhealthy):
            status = fault.status
        born = self._born.isoformat(timespec="microseconds")
        setup = {"started_at": born, "completed_at": born, "status": "succeeded", "logs": ""}
        return JSONResponse({"status": status, "setup": setup, "version": VERSION})

    async def _create(self, request: Request) -> Response:
        try:
            body = read_body(await request.body())
        except ClientDisconnect:
            return CutShort(Response())
        except RefusedError as refused:
            return refused.answer
        given = body.get("input") if isinstance(body.get("input"), dict) else {}
        faults = self._plan.strike(Subject("create", None, given or {}), AnswerFault)
        line: dict[str, Any] = {
            "at": self.clock.now(), "call": f"{request.method} {request.url.path}", "input": given or {}, "run": None,
            "webhook": body.get("webhook"), "faults": tuple(fault.fault for fault in faults),
        }  # fmt: skip
        line |= {"answered": None, "client_disconnected": False}
        self._container.lines.append(line)

        async def act() -> Response:
            return await self._accept(request, body, line)

        answer = await answered(request, self.clock, faults, _refusal, act)
        line["client_disconnected"] = gone = await request.is_disconnected()
        line["answered"] = None if gone or isinstance(answer, CutShort) else answer.status_code
        return answer

    async def _accept(self, request: Request, body: dict[str, Any], line: dict[str, Any]) -> Response:
        container, asked = self._container, request.path_params.get("id")
        if not isinstance(body.get("input", {}), dict):
            return _invalid("input", "value is not a valid dict")
        if asked and body.get("id", asked) != asked:
            return _invalid("id", "prediction ID must match the ID supplied in the URL")
        running = container.running()
        for run in running:
            if asked and run.id == asked:  # idempotent: no second run
                return JSONResponse(await container.seen(run, self.clock.now()), 202)
        if len(running) >= self.settings.slots:
            return JSONResponse({"detail": BUSY}, 409)
        run = container.start(asked or body.get("id"), body)
        line["run"] = run.number
        if request.headers.get("prefer") == "respond-async":
            return JSONResponse(await container.seen(run, run.created_at) | {"status": "starting"}, 202)
        run = await container.until_ended(run.number)
        return JSONResponse(await container.seen(run, self.clock.now()))

    async def _cancel(self, request: Request) -> Response:
        faults = self._plan.strike(Subject("cancel"), AnswerFault)

        async def act() -> Response:
            return JSONResponse({}, 200 if self._container.cancel(request.path_params["id"]) else 404)

        return await answered(request, self.clock, faults, _refusal, act)


def _refusal(faults: Sequence[AnswerFault]) -> Response | None:
    busy = any(isinstance(fault, Busy) for fault in faults)
    return JSONResponse({"detail": BUSY}, 409) if busy else None


def _invalid(field: str, words: str) -> Response:
    return JSONResponse({"detail": [{"loc": ["body", field], "msg": words, "type": "value_error"}]}, 422)
