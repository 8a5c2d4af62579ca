"""The gateway's application, called as people call it, without a port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from gateway.app import build
from gateway.callers import Door, OpenDoor
from gateway.jobs import jobs
from gateway.limit_headers import LimitHeaders
from gateway.limit_store import LimitStore
from gateway.limiter import Limiter
from gateway.publisher import Publisher
from gateway.queue_limit import QueueLimit
from gateway.request_id import RequestIds
from gateway.routes import api
from gateway.signing import Signer
from gateway.status import StatusReader
from schemas.clock import utc_now
from stage.service import health_routes
from tests.fakes import Ends, Links, Log, Tail, Views
from tests.unit.gateway.buckets import Buckets


@asynccontextmanager
async def calling(
    log: Log | None = None,
    views: Views | None = None,
    signer: Signer | None = None,
    door: Door | None = None,
    limits: LimitStore | None = None,
    requests_per_minute: int = 0,
    jobs_queued: int = 0,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway on top of these."""
    reader, publisher = StatusReader(views or Views(), Ends(0), Tail(), Links()), Publisher(log or Log(), timeout=0.2)
    limits = limits or Buckets()
    queue, limiter = QueueLimit(limits, jobs_queued), Limiter(limits, requests_per_minute)
    routers = [api(publisher, reader, queue, utc_now), jobs(publisher, reader, signer or Links(), utc_now)]
    app = RequestIds(LimitHeaders(build(routers, health_routes({}), door or OpenDoor(), limiter)))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client
