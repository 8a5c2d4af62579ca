"""`/metrics` in the form that Prometheus reads, on a service's own port beside `/health`.

A metric is a `prometheus_client` object at the top of the file that counts it. Names begin with `darkroom_`; labels
are names from settings, never ids, prompts or tenants.
"""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def metrics_route() -> BaseRoute:
    """Everything that this process counts."""
    return Route("/metrics", _metrics)
