"""Where the gateway is made and joined."""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from inspect import signature
from typing import Any, NoReturn

from aiokafka import TopicPartition
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.routing import BaseRoute

from gateway import refusing
from gateway.asks import Asks
from gateway.asyncapi import contract
from gateway.callers import Counter, Door, OpenDoor
from gateway.control import control
from gateway.cors import origins_in
from gateway.docs_page import STATIC, docs_page
from gateway.doors import KeyDoor
from gateway.health import Staying, health_routes, welcome
from gateway.history import history
from gateway.hooks import hooks
from gateway.hosts import names_in
from gateway.http_protocol import GatewayHttp
from gateway.inputs import UncheckableError
from gateway.job_status import job_status
from gateway.jobs import jobs
from gateway.key_schemes import describe_keys
from gateway.key_store import KeyStore
from gateway.limit_headers import LimitHeaders
from gateway.limit_store import LimitStore
from gateway.limiter import Limiter
from gateway.listing import listing
from gateway.log_reading import LogReader
from gateway.log_tail import LogTail
from gateway.metrics import metrics
from gateway.middleware import wrapped
from gateway.models import models_routes
from gateway.openapi import describe
from gateway.publisher import Publisher
from gateway.queue_limit import QueueLimit
from gateway.quotes import Quotes
from gateway.reuse import KnownRequests
from gateway.routes import api
from gateway.settings import Settings
from gateway.signing import Signer
from gateway.status import StatusReader
from gateway.store import PATIENCE, Store
from gateway.tables import SCHEMA
from gateway.waiting import Watcher
from schemas.callbacks import live_keys
from schemas.catalogue import catalogue, maker_of, routes_in
from schemas.clock import utc_now
from schemas.events import JobRequested
from schemas.identity import partition_of
from stage import database, kafka
from stage.database import Pool
from stage.kafka import LogEnds
from stage.service import Loop, run_to_end, serve
from stage.settings import load, refuse
from stage.telemetry import configure_logging

NAME = "gateway"
VIEWS = "ledger_v1"


def main() -> NoReturn:
    """Run until SIGTERM. Exit code 0 after a clean stop, 1 after a fault, 2 for wrong settings."""
    run_to_end(run(load(Settings, NAME)))


async def run(settings: Settings) -> int:
    """Accept jobs and show how they go."""
    instance = settings.service_instance or f"{NAME}-{socket.gethostname()}-{os.getpid()}"
    configure_logging(NAME, instance, settings.log_level, settings.log_format)
    async with AsyncExitStack() as stack:
        app, loops = await assemble(settings, instance, stack)
        origins = origins_in(settings.cors_origins)
        safe = wrapped(LimitHeaders(app), cors_origins=origins, hsts_seconds=settings.hsts_seconds)
        return await serve(NAME, safe, settings.host, settings.port, loops=loops, http=GatewayHttp)


def document() -> dict[str, Any]:
    """What `/openapi.json` says, made with nothing where a gateway stands on something: a route that is only described
    is never called.
    """
    makers: tuple[Callable[..., APIRouter], ...] = (api, job_status, models_routes, jobs, control, listing, history)
    routers = [make(*[{}] * len(signature(make).parameters)) for make in makers]
    return build(routers, health_routes({}), OpenDoor()).openapi()


def asks_of(settings: Settings) -> Asks:
    """What reads requests. A schema in the catalogue that cannot be used ends the process, exit code 2."""
    try:
        return Asks(catalogue(settings.models_directory), strict=settings.models_strict)
    except UncheckableError as wrong:
        refuse(NAME, "MODELS_DIRECTORY", str(wrong))


def maker(settings: Settings) -> Callable[[str], str]:
    """Who makes a model, as the generators see it that are told the same."""
    routes, models = routes_in(settings.model_routes), catalogue(settings.models_directory)
    return lambda model: maker_of(model, routes, settings.media_generator_provider, models)


async def assemble(settings: Settings, instance: str, stack: AsyncExitStack) -> tuple[FastAPI, list[Loop]]:
    """The application with everything it stands on, which `stack` closes, and the loops that run beside it."""
    models = catalogue(settings.models_directory)
    asks, quotes = asks_of(settings), Quotes(models, maker(settings))
    url = settings.database_url.get_secret_value()

    async def connections(size: int) -> Pool:
        schema, tables = f"{VIEWS}, {SCHEMA}", ("offsets", "keys")
        pool = await database.connect(url, schema=schema, name=instance, size=size, tables=tables)
        return await stack.enter_async_context(database.closing(pool))

    # Slow readers must not hold up the keys, or a revoked one would open; no more must the limits' counting.
    pool, pool_of_keys, pool_of_limits = [await connections(size) for size in (4, 2, 2)]
    producer = await stack.enter_async_context(kafka.producer(settings, instance))
    ends = await stack.enter_async_context(LogEnds(settings, instance))
    signer = Signer(settings, utc_now)
    store = Store(pool)
    tail = LogTail(settings, instance, settings.scan_records)
    stack.push_async_callback(tail.close)
    reader, watcher = StatusReader(store, ends, tail, signer), Watcher(store)

    async def database_answers() -> None:
        await database.within(PATIENCE, pool.fetchval("SELECT 1 FROM jobs LIMIT 1"))

    async def kafka_answers() -> None:
        await ends.ends([TopicPartition(JobRequested.topic, partition_of(b""))])

    publisher = Publisher(producer, settings.publish_timeout)
    doorbells = hooks(
        publisher,
        live_keys(settings.callback_keys.get_secret_value()),
        {"replicate": secret} if (secret := settings.replicate_webhook_secret.get_secret_value()) else {},
        utc_now,
    )
    staying = Staying()
    health = health_routes({"kafka": kafka_answers, "gateway": staying.check}, {"postgres": database_answers})
    limits = LimitStore(pool_of_limits)
    queue, limiter = QueueLimit(limits, settings.jobs_queued), Limiter(limits, settings.requests_per_minute)
    routers = [
        api(publisher, KnownRequests(store), reader, queue, asks, quotes, utc_now),
        job_status(reader, watcher),
        doorbells,
    ]
    routers += [jobs(publisher, reader, signer, utc_now), control(publisher, reader, store, utc_now)]
    routers += [models_routes(models), listing(store), history(reader, store, LogReader(settings, instance))]
    keys = KeyDoor(KeyStore(pool_of_keys), utc_now)
    door: Door = OpenDoor(names_in(settings.auth_open_hosts)) if settings.auth == "open" else keys
    app = build(routers, health, door, limiter)
    return app, [staying.run, keys.run, limiter.run, watcher.run]


def named(route: BaseRoute) -> BaseRoute:
    """The route, called by its function's name in the OpenAPI document, as the application calls those it includes."""
    if isinstance(route, APIRoute):
        route.unique_id = route.name
    return route


def build(
    routers: Sequence[APIRouter], health: Sequence[BaseRoute], door: Door, counter: Counter | None = None
) -> FastAPI:
    """The HTTP application. Its docs page loads nothing from elsewhere. Without `counter` nobody is held back."""
    app = FastAPIOffline(
        title="Darkroom", version="1", docs_url=None, redoc_url=None, static_url=f"/{STATIC}", redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    # Not included, and before the docs pages: whatever stands before a route costs each of its requests a look.
    app.router.routes[:0] = [named(route) for router in (welcome(), *routers) for route in router.routes]
    for router in (contract(), docs_page("Darkroom"), metrics()):
        app.include_router(router)
    app.state.door, app.state.counter = door, counter
    app.router.routes.extend(health)
    refusing.install(app)
    describe(app)
    describe_keys(app)
    return app
