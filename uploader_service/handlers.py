"""What the uploader hears."""

from collections.abc import Sequence

from schemas.clock import Clock
from schemas.events import MediaGenerated
from stage.consume import Heard
from stage.database import Connection
from uploader_service.store import Store

TOPICS = (MediaGenerated.topic,)


class Handlers:
    """Turns each output that exists into one that has to be stored."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store, self._now = store, now

    async def on_media_generated(self, connection: Connection, heard: Sequence[Heard]) -> None:
        """Remember what to store. Runs inside the batch's transaction; a repeat adds nothing."""
        outputs = [item.event for item in heard if isinstance(item.event, MediaGenerated)]
        await self._store.add(connection, outputs, self._now())
