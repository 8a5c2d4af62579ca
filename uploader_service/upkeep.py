"""What has to be seen to now and then: leases, sources that run out, silent owners, files and objects nobody needs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from prometheus_client import Counter, Gauge

from schemas.clock import Clock
from stage.database import PASSING
from stage.telemetry import get_logger
from uploader_service.aging import Aging
from uploader_service.cleaning import Cleaner
from uploader_service.objects import StoreError
from uploader_service.settings import Settings
from uploader_service.spool import Spool
from uploader_service.store import Store
from uploader_service.worker import Worker

log = get_logger(__name__)

ROUND_SECONDS = 30.0
BUCKET_SWEEP = timedelta(hours=6)

NEAR_EXPIRY = Counter("darkroom_sources_near_expiry", "Outputs not fetched while their source was about to run out")
SPOOLED = Gauge("darkroom_spooled_outputs", "Outputs that wait in this instance's spool for the store")


class Upkeep:
    """Goes its rounds beside the workers, in every instance. A fault of one thing does not keep it from the others."""

    def __init__(
        self, store: Store, aging: Aging, spool: Spool, worker: Worker, cleaner: Cleaner, settings: Settings, now: Clock
    ) -> None:  # fmt: skip
        self._store, self._aging, self._spool = store, aging, spool
        self._worker, self._cleaner = worker, cleaner
        self._settings, self._now = settings, now
        self._bucket_due = now()

    async def run(self, stopping: asyncio.Event) -> None:
        """Go rounds until `stopping`."""
        await self._rounds(stopping, self.warn, self.take_over, self.sweep_spool, self.sweep_bucket)

    async def keep_leases(self, stopping: asyncio.Event) -> None:
        """Keep up our leases until `stopping`, on rounds of their own: sweeping a large bucket outlives a lease."""
        await self._rounds(stopping, self.keep_claims, self.keep_spooled)

    async def _rounds(self, stopping: asyncio.Event, *tasks: Callable[[], Awaitable[None]]) -> None:
        """Several within each lease."""
        pause = min(ROUND_SECONDS, min(self._settings.lease, self._settings.spool_lease).total_seconds() / 4)
        while not stopping.is_set():
            for task in tasks:
                try:
                    await task()
                except (StoreError, *PASSING) as fault:
                    log.warning("upkeep waits", task=task.__name__, fault=type(fault).__name__)
            try:
                async with asyncio.timeout(pause):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def keep_claims(self) -> None:
        """Keep up the leases of what is in work here: large outputs take longer than a lease."""
        if in_work := list(self._worker.in_work):
            await self._store.prolong(in_work, self._now() + self._settings.lease)

    async def keep_spooled(self) -> None:
        """Keep up the lease of what waits in our spool, tried lately or not."""
        await self._store.keep_spooled(self._now())

    async def warn(self) -> None:
        """Say once of each output that it is not fetched while its source runs out."""
        for output in await self._aging.running_out(self._now() + self._settings.expiry_margin):
            NEAR_EXPIRY.inc()
            log.warning(
                "a source runs out before it is fetched", job_id=str(output.job_id), revision=output.revision,
                index=output.index, expires_at=output.expires_at.isoformat(),
            )  # fmt: skip

    async def take_over(self) -> None:
        """Have fetched again what lies with instances that were silent for too long."""
        SPOOLED.set(await self._aging.spooled())
        if number := await self._aging.take_over(self._now()):
            log.warning("spooled outputs of silent instances are fetched again", outputs=number)

    async def sweep_spool(self) -> None:
        """Remove files that no row needs. One whose output is not over stays: whoever claims that here takes it."""
        await self._aging.forget_files(self._now() - self._settings.spool_keep)
        age = await self._spool.idle_files()
        oldest = (self._settings.store_for + self._settings.spool_keep).total_seconds()
        unneeded = [
            standing.file
            for standing in await self._aging.standing(age)
            if not standing.named and (standing.over or (standing.over is None and age[standing.file] > oldest))
        ]
        if unneeded:
            await self._spool.remove(unneeded)
            log.info("spool files removed", files=len(unneeded))
        await self._spool.remove_others(oldest)

    async def sweep_bucket(self) -> None:
        """A few times a day, delete staged objects that nobody took."""
        if self._now() >= self._bucket_due:
            self._bucket_due = self._now() + BUCKET_SWEEP
            if number := await self._cleaner.sweep_staged():
                log.warning("old staged objects deleted", objects=number)
