"""What the generator hears."""

from collections.abc import Sequence

from generator_service.plan import plan
from generator_service.store import Store
from schemas.clock import Clock
from schemas.events import JobRequested
from stage.consume import Heard
from stage.database import Connection

TOPICS = (JobRequested.topic,)


class Handlers:
    """Turns each request into the provider calls it needs."""

    def __init__(self, store: Store, default_provider: str, now: Clock) -> None:
        self._store, self._default_provider, self._now = store, default_provider, now

    async def on_job_requested(self, connection: Connection, heard: Sequence[Heard]) -> None:
        """Plan the requests whose gate was still closed, all calls still to make.

        Runs inside the batch's transaction, which also moves the offsets. A repeat, by whatever road it comes,
        finds the gate open and adds nothing; of two requests with one id the first in the log is planned.
        """
        first: dict[object, JobRequested] = {}
        for item in heard:
            if isinstance(item.event, JobRequested):
                first.setdefault((item.event.job_id, item.event.revision), item.event)
        ours = await self._store.open_gates(connection, list(first.values()))
        planned = [first[gate] for gate in first if gate in ours]
        await self._store.add(connection, (g for r in planned for g in plan(r, self._default_provider)), self._now())
