"""Deletes from the bucket what has to go."""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from schemas.clock import Clock
from schemas.identity import storage_key_of
from stage.retry import delay_before
from stage.telemetry import get_logger
from uploader_service.decide import STAGED
from uploader_service.objects import Objects, StoreError
from uploader_service.removals import Deleted, Deletion, Deletions
from uploader_service.settings import Settings

log = get_logger(__name__)

LEASE = timedelta(minutes=10)
BATCH = 1_000
"""Keys of one delete request at most, by the S3 API."""


class Cleaner:
    """Claim, delete, record. What could not be deleted is tried again until it is: there is no last time."""

    def __init__(self, deletions: Deletions, objects: Objects, settings: Settings, now: Clock) -> None:
        self._deletions, self._objects, self._settings, self._now = deletions, objects, settings, now

    async def claim(self, limit: int) -> Sequence[Deletion]:
        """Up to `limit` deletions that are due."""
        return await self._deletions.claim(limit, self._now(), LEASE)

    async def work(self, deletion: Deletion) -> Deleted:
        """Delete one object, or a job's outputs. What is not there is fine."""
        with structlog.contextvars.bound_contextvars(job_id=str(deletion.job_id), revision=deletion.revision):
            try:
                keys = [deletion.key] if deletion.key is not None else await self._outputs(deletion)
                for start in range(0, len(keys), BATCH):
                    await self._objects.delete(keys[start : start + BATCH])
            except StoreError as fault:
                log.warning("a deletion waits", error=fault.outcome.code, attempt=deletion.attempt)
                return Deleted(deletion, self._now() + self._pause(deletion.attempt), fault.outcome.code)
            log.info("deleted", objects=len(keys))
            return Deleted(deletion)

    async def record(self, results: Sequence[Deleted]) -> None:
        """Write what came of it."""
        await self._deletions.record(results)

    async def sweep_staged(self) -> int:
        """Delete staged objects so old that nobody will take them. Returns how many. Raises `StoreError`."""
        before = self._now() - self._settings.staged_keep
        old = [each.key async for each in self._objects.listed(STAGED) if each.modified_at < before]
        for start in range(0, len(old), BATCH):
            await self._objects.delete(old[start : start + BATCH])
        return len(old)

    async def _outputs(self, deletion: Deletion) -> list[str]:
        """The keys of a job's outputs in every revision up to the deletion's."""
        folder = storage_key_of(deletion.job_id, 1, 0, "").removesuffix("1/0.")
        listed = [each.key async for each in self._objects.listed(folder)]
        return [key for key in listed if _revision_of(key, folder) <= deletion.revision]

    def _pause(self, attempt: int) -> timedelta:
        settings = self._settings
        return timedelta(
            seconds=delay_before(attempt, initial=settings.initial_retry_delay, maximum=settings.max_retry_delay)
        )


def _revision_of(key: str, folder: str) -> int:
    revision = key.removeprefix(folder).partition("/")[0]
    return int(revision) if revision.isdigit() else 0
