"""Where the uploader is made and joined."""

from contextlib import AsyncExitStack
from typing import NoReturn

from schemas.clock import utc_now
from stage.app import Stage
from stage.bucket import bucket_client
from stage.service import run_to_end
from stage.settings import load, refuse
from stage.work import CLAIM_AT_LEAST, Beats, Workers
from uploader_service.aging import Aging
from uploader_service.cleaning import Cleaner
from uploader_service.fetch import Fetcher
from uploader_service.handlers import TOPICS, Handlers
from uploader_service.objects import Objects
from uploader_service.removals import Deletions
from uploader_service.settings import Settings
from uploader_service.spool import Spool
from uploader_service.store import Store
from uploader_service.tables import SCHEMA
from uploader_service.upkeep import Upkeep
from uploader_service.worker import Worker

NAME = "uploader"
# Beside the fetches, so that a store that is away keeps nobody from fetching. Twice as many as must be free before more
# is claimed: with no more than that, one PUT that hangs would hold back every other output in the spool.
STORING_SLOTS = 2 * CLAIM_AT_LEAST
DELETING_SLOTS = 4


def main() -> NoReturn:
    """Run until SIGTERM. Exit code 0 after a clean stop, 1 after a fault, 2 for wrong settings."""
    run_to_end(run(load(Settings, NAME)))


async def run(settings: Settings) -> int:
    """Hear of outputs, store them, say where they are."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage.open(NAME, SCHEMA, settings, settings.database_url))
        fetcher = await stack.enter_async_context(Fetcher.open(settings))
        objects = Objects(await stack.enter_async_context(bucket_client(settings)), settings)
        spool = await open_spool(settings, stage.instance)
        store = Store(stage.pool, NAME, stage.instance, settings.spool_lease)
        await store.take_back(utc_now())

        def spooled() -> None:
            storers.wake()

        worker = Worker(store, fetcher, objects, spool, settings, utc_now, spooled)
        cleaner = Cleaner(Deletions(stage.pool), objects, settings, utc_now)
        upkeep = Upkeep(store, Aging(stage.pool, stage.instance), spool, worker, cleaner, settings, utc_now)

        said = stage.relay.wake
        fetchers = Workers(Beats("fetches", worker.claim_to_fetch, worker.work, worker.record, said))
        storers = Workers(Beats("stores", worker.claim_to_store, worker.work, worker.record, said), STORING_SLOTS)
        cleaners = Workers(
            Beats("deletions", cleaner.claim, cleaner.work, cleaner.record, lambda: None), DELETING_SLOTS
        )
        handlers = Handlers(store, utc_now)
        return await stage.serve(
            topics=TOPICS, handle=handlers.hear, heard=fetchers.wake,
            loops=[fetchers.run, storers.run, cleaners.run, upkeep.run, upkeep.keep_leases], port=settings.port,
        )  # fmt: skip


async def open_spool(settings: Settings, instance: str) -> Spool:
    """This instance's spool. The process ends with exit code 2 when there can be none."""
    spool = Spool(settings.spool_dir, instance, settings.memory_bytes)
    try:
        await spool.open()
    except OSError as fault:
        refuse(NAME, "UPLOADER_SPOOL_DIR", f"{settings.spool_dir} cannot be written to ({fault.strerror})")
    return spool
