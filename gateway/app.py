"""Where the gateway is made and joined."""

import os
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import NoReturn

from aiokafka import TopicPartition
from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import BaseRoute

from gateway import problems
from gateway.asyncapi import contract
from gateway.callers import Door, OpenDoor
from gateway.history import history
from gateway.hooks import hooks
from gateway.jobs import jobs
from gateway.listing import listing
from gateway.log_reading import LogReader
from gateway.log_tail import LogTail
from gateway.publisher import Publisher
from gateway.request_id import RequestIds
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
from stage.service import health_routes, run_to_end, serve
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
        return await serve(NAME, RequestIds(app), settings.host, settings.port, loops=[])


def build(routers: Sequence[APIRouter], health: Sequence[BaseRoute], door: Door) -> FastAPI:
    """The HTTP application. Its docs page loads nothing from elsewhere."""
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
    app.state.door = door
    app.router.routes.extend(health)
    problems.install(app)
    return app
