"""Where the gateway is made and joined."""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from inspect import signature
from typing import Any, NoReturn

from aiokafka import TopicPartition
from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import BaseRoute

from gateway import problems
from gateway.asyncapi import contract
from gateway.callers import Door, OpenDoor
from gateway.cors import origins_in
from gateway.docs_page import STATIC, docs_page
from gateway.health import health_routes, welcome
from gateway.history import history
from gateway.hooks import hooks
from gateway.http_protocol import GatewayHttp
from gateway.jobs import jobs
from gateway.listing import listing
from gateway.log_reading import LogReader
from gateway.log_tail import LogTail
from gateway.metrics import metrics
from gateway.middleware import wrapped
from gateway.openapi import describe
from gateway.publisher import Publisher
from gateway.routes import api
from gateway.settings import Settings
from gateway.signing import Signer
from gateway.status import StatusReader
from gateway.store import Store
from schemas.callbacks import live_keys
from schemas.clock import utc_now
from schemas.events import JobRequested
from schemas.identity import partition_of
from stage import database, kafka
from stage.kafka import LogEnds
from stage.service import run_to_end, serve
from stage.settings import load
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
        url = settings.database_url.get_secret_value()
        pool = await stack.enter_async_context(await database.connect(url, schema=VIEWS, name=instance))
        producer = await stack.enter_async_context(kafka.producer(settings, instance))
        ends = await stack.enter_async_context(LogEnds(settings, instance))
        signer = Signer(settings, utc_now)
        store = Store(pool)
        reader = StatusReader(store, ends, LogTail(settings, instance, settings.scan_records), signer)

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
        routers = [api(publisher, reader, utc_now), jobs(publisher, reader, signer, utc_now), doorbells]
        routers += [listing(store), history(reader, store, LogReader(settings, instance))]
        app = build(routers, health, OpenDoor())
        safe = wrapped(app, cors_origins=origins_in(settings.cors_origins), hsts_seconds=settings.hsts_seconds)
        return await serve(NAME, safe, settings.host, settings.port, loops=[], http=GatewayHttp)


def document() -> dict[str, Any]:
    """What `/openapi.json` says, made with nothing where a gateway stands on something: a route that is only described
    is never called.
    """
    makers: tuple[Callable[..., APIRouter], ...] = (api, jobs, listing, history)
    routers = [make(*[{}] * len(signature(make).parameters)) for make in makers]
    return build(routers, health_routes({}), OpenDoor()).openapi()


def build(routers: Sequence[APIRouter], health: Sequence[BaseRoute], door: Door) -> FastAPI:
    """The HTTP application. Its docs page loads nothing from elsewhere."""
    app = FastAPIOffline(
        title="Darkroom", version="1", docs_url=None, redoc_url=None, static_url=f"/{STATIC}", redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    for router in (welcome(), *routers, contract(), docs_page("Darkroom"), metrics()):
        app.include_router(router)
    app.state.door = door
    app.router.routes.extend(health)
    problems.install(app)
    describe(app)
    return app
