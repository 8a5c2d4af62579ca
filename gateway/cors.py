"""Which pages of other origins may call us from a browser: none, unless they are named."""

import re
from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
SENT = ("Authorization", "X-API-Key", "Idempotency-Key", "If-None-Match", "Prefer", "X-Request-Id", "traceparent")
SHOWN = (
    "Location", "Idempotency-Key", "ETag", "Retry-After", "RateLimit", "RateLimit-Policy", "Preference-Applied",
    "X-Request-Id",
)  # fmt: skip


def origins_in(setting: str) -> tuple[str, ...]:
    """The origins of `https://app.example.org,http://localhost:3000`.

    Raises ValueError for anything else, `*` included: a page that nobody named has no business with somebody's key.
    """
    origins = tuple(filter(None, (each.strip() for each in setting.split(","))))
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin[:100]} is no origin: write scheme://host or scheme://host:port, in lower case")
    return origins


def with_cors(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """`app`, callable from pages of these origins. A preflight is answered here, before anybody asks for a key.

    Keys travel in headers, never in cookies, so a browser need not send credentials of its own.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app, allow_origins=origins, allow_methods=("GET", "POST", "DELETE"), allow_headers=SENT, expose_headers=SHOWN
    )
