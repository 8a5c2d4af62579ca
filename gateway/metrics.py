"""`/metrics` of the gateway, and what it counts of every request. Operators only: its port is the public one."""

from functools import cache
from time import perf_counter

from fastapi import APIRouter
from prometheus_client import Counter, Gauge, Histogram
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import problems
from gateway.callers import Operator
from gateway.route_names import OTHER, route_of
from stage.metrics import exposition

REQUESTS = Counter(
    "darkroom_http_requests", "Requests by route, method and class of status", ["route", "method", "status"]
)
SECONDS = Histogram(
    "darkroom_http_request_seconds", "From a request's headers to the end of its answer", ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)  # fmt: skip
LIMITED = Counter("darkroom_http_requests_limited", "Requests that were answered 429", ["route"])
WAITING = Gauge("darkroom_waiting_clients", "Clients that wait for a job to change")

TEXT = {"text/plain": {"schema": {"type": "string"}}}
METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"})


def metrics() -> APIRouter:
    """The route that Prometheus reads."""
    router = APIRouter(tags=["operations"])

    @router.get(
        "/metrics", summary="What this process counts", response_class=Response,
        response_description="In Prometheus' text format.",
        responses=problems.responses(401, 403, 503) | {200: {"content": TEXT}},
    )  # fmt: skip
    async def read_metrics(caller: Operator) -> Response:
        """Every counter of this one process, for a Prometheus with a key of scope `operate`."""
        return exposition()

    return router


class Measured:
    """Counts and times every request that passes. The number of series is bounded by our own routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            count, seconds, limited = _series(route_of(scope), scope["method"], status)
            count.inc()
            seconds.observe(perf_counter() - began)
            if limited is not None:
                limited.inc()


@cache
def _series(route: str, method: str, status: int) -> tuple[Counter, Histogram, Counter | None]:
    """What counts such a request: found once, since looking it up costs more than counting."""
    counted = REQUESTS.labels(route, method if method in METHODS else OTHER, f"{status // 100}xx")
    return counted, SECONDS.labels(route), LIMITED.labels(route) if status == 429 else None
