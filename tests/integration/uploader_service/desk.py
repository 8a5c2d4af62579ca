"""The uploader step by step: its real rows and spool, a clock that a test sets, sources and a bucket in memory."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from schemas.events import Event, StagedSource
from stage.database import Pool
from stage.heard import Heard
from tests.builders import JOB, NOON, at
from tests.fakes import Objects, Sources
from tests.media_files import a_picture
from uploader_service.aging import Aging
from uploader_service.cleaning import Cleaner
from uploader_service.handlers import Handlers
from uploader_service.landing import Landing, SpoolFullError
from uploader_service.removals import Deletions
from uploader_service.settings import Settings
from uploader_service.spool import Held, Spool
from uploader_service.store import Store
from uploader_service.upkeep import Upkeep
from uploader_service.uploads import Claim
from uploader_service.worker import Worked, Worker

PICTURE = a_picture("PNG")
STAGED = StagedSource(key="staged/1", sha256=hashlib.sha256(PICTURE).hexdigest(), size=len(PICTURE))


class Desk:
    """What all instances share: the tables, the time, the sources and the bucket."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self.pool, self.settings = pool, settings
        self.time = NOON
        self.sources, self.objects = Sources(PICTURE), Objects()
        self.full_disk = False
        self._published: list[dict[str, Any]] = []

    def now(self) -> datetime:
        """The time, as the test has set it."""
        return self.time

    def passes(self, **span: float) -> None:
        """Let time pass."""
        self.time += timedelta(**span)

    async def instance(self, name: str = "uploader-1") -> "Instance":
        """An instance of the uploader as it starts."""
        started = Instance(self, name)
        await started.spool.open()
        await started.store.take_back(self.now())
        return started

    async def publishes(self) -> None:
        """Kafka takes what waits for it."""
        self._published = await self.facts()
        await self.pool.execute("DELETE FROM outbox")

    async def facts(self) -> list[dict[str, Any]]:
        """What was said, in order."""
        rows = await self.pool.fetch("SELECT value FROM outbox ORDER BY id")
        return self._published + [json.loads(row["value"]) for row in rows]

    async def said(self) -> list[str]:
        """The same in short: topics, and codes of failures, marked where they are final."""
        return [
            f"{fact['type']} {fact['code']}{' for good' * fact['final']}" if "code" in fact else fact["type"]
            for fact in await self.facts()
        ]

    async def state(self, job_id: UUID = JOB, revision: int = 1, index: int = 0) -> str:
        """Where an output stands."""
        found: str = await self.pool.fetchval(
            "SELECT state FROM uploads WHERE job_id = $1 AND revision = $2 AND index = $3", job_id, revision, index
        )
        return found

    async def due_in(self) -> float:
        """Seconds until the next upload is due."""
        due_at = await self.pool.fetchval("SELECT min(due_at) FROM uploads")
        assert due_at is not None
        return float((due_at - self.time).total_seconds())


class Disk(Spool):
    """A spool whose disk may be full."""

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__(desk.settings.spool_dir, name, desk.settings.memory_bytes)
        self._desk = desk

    def landing(self, claim: Claim) -> Held:
        held = super().landing(claim)
        if self._desk.full_disk:
            return Held(held.file, _NoRoom(self._desk.settings.spool_dir / held.file, self._desk.settings.memory_bytes))
        return held


class _NoRoom(Landing):
    """Takes what fits into memory."""

    async def write(self, chunk: bytes) -> None:
        if self.size + len(chunk) > self._in_memory:
            raise SpoolFullError
        await super().write(chunk)

    async def keep(self) -> None:
        raise SpoolFullError


class Instance:
    """One uploader process, whose beats a test calls one by one."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk, settings = desk, desk.settings
        self.store = Store(desk.pool, "uploader", name, settings.spool_lease)
        self.spool = Disk(desk, name)
        self.worker = Worker(self.store, desk.sources, desk.objects, self.spool, settings, desk.now, lambda: None)
        self.cleaner = Cleaner(Deletions(desk.pool), desk.objects, settings, desk.now)
        self.aging = Aging(desk.pool, name)
        self.upkeep = Upkeep(self.store, self.aging, self.spool, self.worker, self.cleaner, settings, desk.now)
        self.folder = settings.spool_dir / name

    @property
    def files(self) -> list[Path]:
        """What lies in its spool."""
        return sorted(self.folder.iterdir())

    async def hears(self, *events: Event) -> None:
        """One batch of facts, in the transaction that would move the offsets."""
        heard = [Heard(at(event, offset), event) for offset, event in enumerate(events)]
        async with self._desk.pool.acquire() as connection, connection.transaction():
            await Handlers(self.store, self._desk.now).hear(connection, heard)

    async def fetches(self, limit: int = 64) -> list[str]:
        """Claim what is due to be fetched, work it, record it. The states it has then."""
        return await self.records(await self.works(await self.worker.claim_to_fetch(limit)))

    async def stores(self) -> list[str]:
        """The same for what lies in its spool."""
        return await self.records(await self.works(await self.worker.claim_to_store(16)))

    async def works(self, claims: Sequence[Claim]) -> list[Worked]:
        """Work claims, one after the other."""
        return [await self.worker.work(claim) for claim in claims]

    async def records(self, results: Sequence[Worked]) -> list[str]:
        """Record what came of them."""
        if results:
            await self.worker.record(results)
        return [result.verdict.claim.state for result in results]

    async def deletes(self) -> int:
        """Do the deletions that are due. How many there were."""
        results = [await self.cleaner.work(deletion) for deletion in await self.cleaner.claim(16)]
        await self.cleaner.record(results)
        return len(results)
