"""The gateway's application, called as people call it, without a port."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from gateway.app import build
from gateway.asks import Asks
from gateway.callers import Door, OpenDoor
from gateway.control import control
from gateway.health import health_routes
from gateway.job_status import job_status
from gateway.jobs import jobs
from gateway.limit_headers import LimitHeaders
from gateway.limit_store import LimitStore
from gateway.limiter import Limiter
from gateway.middleware import wrapped
from gateway.models import models_routes
from gateway.publisher import Publisher
from gateway.queue_limit import QueueLimit
from gateway.quotes import Quotes
from gateway.reuse import KnownRequests
from gateway.routes import api
from gateway.signing import Signer
from gateway.status import StatusReader
from gateway.waiting import Watcher
from schemas.catalogue import ModelCard, catalogue, maker_of
from schemas.clock import utc_now
from tests.fakes import Ends, Links, Log, Tail, Views
from tests.unit.gateway.buckets import Buckets


@asynccontextmanager
async def calling(  # noqa: PLR0913 - each stands in for a part
    log: Log | None = None,
    views: Views | None = None,
    signer: Signer | None = None,
    door: Door | None = None,
    models: Mapping[str, ModelCard] | None = None,
    limits: LimitStore | None = None,
    requests_per_minute: int = 0,
    jobs_queued: int = 0,
    *,
    ends: Ends | None = None,
    tail: Tail | None = None,
    strict: bool = False,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway on top of these."""
    store, publisher, stopping = views or Views(), Publisher(log or Log(), timeout=0.2), asyncio.Event()
    reader, watcher = StatusReader(store, ends or Ends(0), tail or Tail(), Links()), Watcher(store)
    models, limits = catalogue() if models is None else models, limits or Buckets()
    queue, limiter = QueueLimit(limits, jobs_queued), Limiter(limits, requests_per_minute)
    asks, quotes = Asks(models, strict=strict), Quotes(models, lambda model: maker_of(model, [], "fake", models))
    routers = [api(publisher, KnownRequests(store), reader, queue, asks, quotes, utc_now), job_status(reader, watcher)]
    routers += [models_routes(models), jobs(publisher, reader, signer or Links(), utc_now)]
    routers += [control(publisher, reader, store, utc_now)]
    app = wrapped(LimitHeaders(build(routers, health_routes({}), door or OpenDoor(), limiter)))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        watching = asyncio.create_task(watcher.run(stopping))
        yield client
        stopping.set()
        await watching
