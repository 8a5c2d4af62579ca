"""Says which jobs' data are old enough to be removed. Whoever holds such data hears it and removes its own."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from ledger_service import store
from schemas.clock import Clock
from schemas.events import DataRemoved
from schemas.wire import encode
from stage import outbox
from stage.database import PASSING, Pool
from stage.telemetry import get_logger

log = get_logger(__name__)

LOOK_EVERY = 30.0  # ages are counted in days
BATCH_JOBS = 500


class Remover:
    """Looks for old jobs. `ages` holds a tenant's age, or that of all others under `*`; `said` wakes the relay."""

    def __init__(self, pool: Pool, ages: Mapping[str, timedelta], now: Clock, said: Callable[[], None]) -> None:
        self._pool, self._ages, self._now, self._said = pool, ages, now, said

    async def run(self, stopping: asyncio.Event) -> None:
        """Look until `stopping`. Faults of PostgreSQL are waited out."""
        while not stopping.is_set():
            try:
                while await self.say_some() == BATCH_JOBS and not stopping.is_set():
                    pass
            except PASSING as fault:
                log.warning("old jobs are looked for later", fault=type(fault).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await stopping.wait()

    async def say_some(self) -> int:
        """Say `data.removed` for a batch of jobs that are old enough, and return how many there were.

        That it is said and that a job is marked so are one transaction: each is said once, by whichever ledger.
        """
        at = self._now()
        async with self._pool.acquire() as connection, connection.transaction():
            before = {tenant: at - age for tenant, age in self._ages.items()}
            old = await store.mark_old(connection, before, BATCH_JOBS)
            facts = [DataRemoved.say(job.job_id, job.tenant, at, revision=job.revision, reason="age") for job in old]
            await outbox.add(connection, [encode(fact, source="ledger") for fact in facts])
        if old:
            log.info("data of old jobs are to be removed", jobs=len(old))
            self._said()
        return len(old)
