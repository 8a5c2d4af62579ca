"""Where the uploader is made and joined."""

from contextlib import AsyncExitStack
from typing import NoReturn

from schemas.clock import utc_now
from stage.app import Stage
from stage.bucket import bucket_client
from stage.service import run_to_end
from stage.settings import load
from stage.work import Beats, Workers
from uploader_service.fetch import Fetcher
from uploader_service.handlers import TOPICS, Handlers
from uploader_service.settings import Settings
from uploader_service.store import Store
from uploader_service.tables import SCHEMA
from uploader_service.worker import Worker

NAME = "uploader"


def main() -> NoReturn:
    """Run until SIGTERM. Exit code 0 after a clean stop, 1 after a fault, 2 for wrong settings."""
    run_to_end(run(load(Settings, NAME)))


async def run(settings: Settings) -> int:
    """Hear of outputs, store them, say where they are."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage.open(NAME, SCHEMA, settings, settings.database_url))
        fetcher = await stack.enter_async_context(Fetcher.open(settings))
        bucket = await stack.enter_async_context(bucket_client(settings))
        store = Store(stage.pool, NAME, stage.instance)
        await store.take_back(utc_now())
        worker = Worker(store, fetcher, bucket, settings, utc_now)
        workers = Workers(Beats("uploads", worker.claim, worker.work, worker.record, stage.relay.wake))
        handlers = Handlers(store, utc_now)
        return await stage.serve(
            topics=TOPICS, handle=handlers.on_media_generated, heard=workers.wake, loops=[workers.run],
            port=settings.port,
        )  # fmt: skip
