"""The gateway's application, called as people call it, without a port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from gateway.app import build
from gateway.callers import Door, OpenDoor
from gateway.jobs import jobs
from gateway.publisher import Publisher
from gateway.request_id import RequestIds
from gateway.routes import api
from gateway.signing import Signer
from gateway.status import StatusReader
from schemas.clock import utc_now
from stage.service import health_routes
from tests.fakes import Ends, Links, Log, Tail, Views


@asynccontextmanager
async def calling(
    log: Log | None = None,
    views: Views | None = None,
    signer: Signer | None = None,
    door: Door | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway on top of these."""
    reader, publisher = StatusReader(views or Views(), Ends(0), Tail(), Links()), Publisher(log or Log(), timeout=0.2)
    routers = [api(publisher, reader, utc_now), jobs(publisher, reader, signer or Links(), utc_now)]
    app = RequestIds(build(routers, health_routes({}), door or OpenDoor()))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client
