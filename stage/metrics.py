"""`/metrics` in the form that Prometheus reads, on a service's own port beside `/health`.

A metric is a `prometheus_client` object at the top of the file that counts it. Names begin with `darkroom_`; labels
are names from settings, never ids, prompts or tenants.
"""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route


def exposition() -> Response:
    """Everything that this process counts, as Prometheus reads it."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _metrics(_: Request) -> Response:
    return exposition()


def metrics_route() -> BaseRoute:
    """`/metrics` for a port that only we can reach."""
    return Route("/metrics", _metrics)
