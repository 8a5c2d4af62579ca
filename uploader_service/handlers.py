"""What the uploader hears."""

from collections.abc import Sequence
from typing import TypeVar

from schemas.clock import Clock
from schemas.events import DataRemoved, Event, MediaGenerated, RetryRequested
from stage.database import Connection
from stage.heard import Heard
from uploader_service import removals
from uploader_service.store import Store

TOPICS = (MediaGenerated.topic, RetryRequested.topic, DataRemoved.topic)
E = TypeVar("E", bound=Event)


class Handlers:
    """Turns outputs that exist into outputs to store. Nothing here asks a provider or the bucket."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store, self._now = store, now

    async def hear(self, connection: Connection, heard: Sequence[Heard]) -> None:
        """Record what a batch means. Runs inside the transaction that also moves the offsets.

        A repeat, by whatever road it comes, adds nothing.
        """
        if outputs := _of(MediaGenerated, heard):
            await self.on_media_generated(connection, outputs)
        if retries := _of(RetryRequested, heard):
            await self._store.add_again(connection, retries, self._now())
        if removed := _of(DataRemoved, heard):
            await removals.remove(connection, removed, self._now())

    async def on_media_generated(self, connection: Connection, outputs: Sequence[MediaGenerated]) -> None:
        """Remember what to store. A renewal is a new source for an output that waits for it, and nothing else."""
        if new := [output for output in outputs if not output.renewal]:
            await self._store.add(connection, new, self._now())
        if renewals := [output for output in outputs if output.renewal]:
            await self._store.renew(connection, renewals, self._now())


def _of(kind: type[E], heard: Sequence[Heard]) -> list[E]:
    return [item.event for item in heard if isinstance(item.event, kind)]
