"""Where the gateway is made and joined."""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import NoReturn

from aiokafka import TopicPartition
from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import BaseRoute

from gateway import problems
from gateway.asks import Asks
from gateway.asyncapi import contract
from gateway.callers import Counter, Door, OpenDoor
from gateway.control import control
from gateway.doors import KeyDoor
from gateway.history import history
from gateway.hooks import hooks
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
from gateway.models import models_routes
from gateway.publisher import Publisher
from gateway.queue_limit import QueueLimit
from gateway.quotes import Quotes
from gateway.request_id import RequestIds
from gateway.reuse import KnownRequests
from gateway.routes import api
from gateway.settings import Settings
from gateway.signing import Signer
from gateway.status import StatusReader
from gateway.store import Store
from gateway.tables import SCHEMA
from gateway.waiting import Watcher
from schemas.callbacks import live_keys
from schemas.catalogue import catalogue, maker_of, routes_in
from schemas.clock import utc_now
from schemas.events import JobRequested
from schemas.identity import partition_of
from stage import database, kafka
from stage.kafka import LogEnds
from stage.service import Loop, health_routes, run_to_end, serve
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
        return await serve(NAME, RequestIds(LimitHeaders(app)), settings.host, settings.port, loops=loops)


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
    pool = await stack.enter_async_context(
        await database.connect(url, schema=f"{VIEWS}, {SCHEMA}", name=instance, tables=("offsets", "keys"))
    )
    producer = await stack.enter_async_context(kafka.producer(settings, instance))
    ends = await stack.enter_async_context(LogEnds(settings, instance))
    signer = Signer(settings, utc_now)
    store = Store(pool)
    tail = LogTail(settings, instance, settings.scan_records)
    stack.push_async_callback(tail.close)
    reader, watcher = StatusReader(store, ends, tail, signer), Watcher(store)

    async def database_answers() -> None:
        await pool.fetchval("SELECT 1 FROM jobs LIMIT 1")

    async def kafka_answers() -> None:
        await ends.ends([TopicPartition(JobRequested.topic, partition_of(b""))])

    publisher = Publisher(producer, settings.publish_timeout)
    doorbells = hooks(
        publisher,
        live_keys(settings.callback_keys.get_secret_value()),
        {"replicate": secret} if (secret := settings.replicate_webhook_secret.get_secret_value()) else {},
        utc_now,
    )
    health = health_routes({"postgres": database_answers, "kafka": kafka_answers})
    limits = LimitStore(pool)
    queue, limiter = QueueLimit(limits, settings.jobs_queued), Limiter(limits, settings.requests_per_minute)
    routers = [
        api(publisher, KnownRequests(store), queue, asks, quotes, utc_now),
        job_status(reader, watcher),
        doorbells,
    ]
    routers += [jobs(publisher, reader, signer, utc_now), control(publisher, reader, store, utc_now)]
    routers += [models_routes(models), listing(store), history(reader, store, LogReader(settings, instance))]
    keys = KeyDoor(KeyStore(pool), utc_now)
    app = build(routers, health, OpenDoor() if settings.auth == "open" else keys, limiter)
    return app, [keys.run, limiter.run, watcher.run]


def build(
    routers: Sequence[APIRouter], health: Sequence[BaseRoute], door: Door, counter: Counter | None = None
) -> FastAPI:
    """The HTTP application. Its docs page loads nothing from elsewhere. Without `counter` nobody is held back."""
    app = FastAPIOffline(
        title="Darkroom", version="1", redoc_url=None,
        description="Turns a request for pictures, sound or video into files in your own bucket.",
    )  # fmt: skip

    @app.get("/", tags=["service"], summary="Who answers here")
    async def root() -> dict[str, str]:
        return {"message": "Media Generation Microservice", "status": "running"}

    for router in routers:
        app.include_router(router)
    app.include_router(contract())
    app.state.door, app.state.counter = door, counter
    app.router.routes.extend(health)
    problems.install(app)
    describe_keys(app)
    return app
