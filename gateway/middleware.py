"""What every request passes on its way to the application, from the outside in."""

from collections.abc import Collection

from starlette.types import ASGIApp

from gateway.cors import with_cors
from gateway.metrics import Measured
from gateway.refusing import SaidOnce
from gateway.request_id import RequestIds
from gateway.safe_headers import SafeHeaders


def wrapped(app: ASGIApp, *, cors_origins: Collection[str] = (), hsts_seconds: int = 0) -> ASGIApp:
    """`app` with an id for each request, safe headers on each answer, everything counted, and CORS where it is set."""
    return RequestIds(SafeHeaders(Measured(with_cors(SaidOnce(app), cors_origins)), hsts_seconds))
