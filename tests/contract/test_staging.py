"""Inline outputs reach the bucket at a place that follows from what they are."""

import hashlib
from uuid import UUID

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from darkroom.simulators.server import LOCAL, listen, serving
from generator_service.bucket import staging
from schemas.events import StagedSource

GENERATION = UUID("0d0f4aa2-6f6c-8f0e-9d6b-1f3c5a7e9b2d")


async def test_the_same_output_lies_at_the_same_place_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[tuple[str, bytes]] = []

    async def keep(request: Request) -> Response:
        put.append((request.url.path, await request.body()))
        return Response(headers={"ETag": '"x"'})

    listening = listen(LOCAL, 0)
    told = {"ENDPOINT_URL": f"http://{LOCAL}:{listening.getsockname()[1]}", "BUCKET_NAME": "media"}
    for name, value in (told | {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret"}).items():
        monkeypatch.setenv(f"S3_{name}", value)
    app = Starlette(routes=[Route("/{path:path}", keep, methods=["PUT"])])
    async with serving(app, listening), staging() as stage:
        first, second = await stage(GENERATION, 3, b"pixels"), await stage(GENERATION, 3, b"pixels")

    key = f"staged/0d0/{GENERATION}/3"
    assert first == second == StagedSource(key=key, sha256=hashlib.sha256(b"pixels").hexdigest(), size=6)
    assert put == [(f"/media/{key}", b"pixels")] * 2
