"""What the generator hears."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from generator_service import gates, renewals
from generator_service.plan import plan, plan_again
from generator_service.store import Store
from schemas.catalogue import ModelCard
from schemas.clock import Clock
from schemas.events import (
    SOURCE_EXPIRED,
    CancelRequested,
    DataRemoved,
    Event,
    JobRequested,
    ProviderCalledBack,
    RetryRequested,
    UploadFailed,
)
from stage.database import Connection
from stage.heard import Heard

TOPICS = (
    JobRequested.topic, CancelRequested.topic, RetryRequested.topic, ProviderCalledBack.topic, UploadFailed.topic,
    DataRemoved.topic,
)  # fmt: skip
E = TypeVar("E", bound=Event)


class Handlers:
    """Turns requests into provider calls to make, and callbacks into looks. Nothing here asks a provider."""

    def __init__(
        self, store: Store, provider_of: Callable[[str], str], models: Mapping[str, ModelCard], now: Clock
    ) -> None:
        self._store, self._provider_of, self._models, self._now = store, provider_of, models, now

    async def hear(self, connection: Connection, heard: Sequence[Heard]) -> None:
        """Record what a batch means. Runs inside the transaction that also moves the offsets.

        A repeat, by whatever road it comes, adds nothing.
        """
        if requests := _of(JobRequested, heard):
            await self.on_job_requested(connection, requests)
        if retries := _of(RetryRequested, heard):
            await self.on_retry_requested(connection, retries)
        if cancels := _of(CancelRequested, heard):
            await gates.cancel(connection, _latest(cancels), self._now())
        if callbacks := _of(ProviderCalledBack, heard):
            await self.on_provider_called_back(connection, callbacks)
        if failed := _of(UploadFailed, heard):
            await self.on_upload_failed(connection, failed)
        if removed := _of(DataRemoved, heard):
            await gates.forget(connection, _latest(removed))

    async def on_job_requested(self, connection: Connection, requests: Sequence[JobRequested]) -> None:
        """Plan the requests whose gate was still closed; of two with one id the first in the log is planned.

        A cancel or a retry that came earlier has waited for its request, and takes effect here.
        """
        first: dict[tuple[UUID, int], JobRequested] = {}
        for request in requests:
            first.setdefault((request.job_id, request.revision), request)
        ours = await gates.open_gates(connection, list(first.values()))
        planned = [request for gate, request in first.items() if gate in ours]
        if not planned:
            return
        calls = (call for request in planned for call in plan(request, self._provider_of, self._models))
        await gates.add(connection, calls, self._now())
        job_ids = [request.job_id for request in planned]
        await gates.mark_cancelled(connection, job_ids, self._now())
        if early := await gates.take_early(connection, job_ids):
            await self.on_retry_requested(connection, early)

    async def on_retry_requested(self, connection: Connection, retries: Sequence[RetryRequested]) -> None:
        """Plan what retries pay for again, once per revision, from the plan of the revisions before.

        One whose job was not heard of waits for it. A cancel of that revision that came earlier marks it.
        """
        known = await gates.known(connection, retries)
        for retry in retries:
            if retry.job_id not in known:
                await gates.keep_early(connection, retry)
            elif await gates.open_gates(connection, [retry]):
                earlier = await gates.planned(connection, retry.job_id, retry.revision)
                again = list(plan_again(retry, earlier))
                await gates.add(connection, again, self._now())
                await self._store.take_up(connection, [each.id for each in again if each.seeks], self._now())
                await gates.mark_cancelled(connection, [retry.job_id], self._now())

    async def hear_early(self, connection: Connection) -> None:
        """Plan the retries that wait for a job which is planned by now. Runs in a transaction of its own."""
        if job_ids := await gates.early_and_known(connection):
            await self.on_retry_requested(connection, await gates.take_early(connection, job_ids))

    async def on_provider_called_back(self, connection: Connection, callbacks: Sequence[ProviderCalledBack]) -> None:
        """Adopt a lost call that its provider named, and look at a running one now.

        What the callback says of the call is not believed: the provider is asked. One about an unknown generation or
        a call that is over changes nothing.
        """
        for each in sorted(callbacks, key=lambda callback: callback.generation_id):  # locked in one order
            await self._store.hear_of(
                connection, each.generation_id, each.attempt, each.provider, each.provider_id, self._now()
            )
        await self._store.look_now(connection, [each.generation_id for each in callbacks], self._now())

    async def on_upload_failed(self, connection: Connection, failed: Sequence[UploadFailed]) -> None:
        """Ask once more where an output lies whose source expired. Every other failure is the uploader's."""
        for each in failed:
            if each.code == SOURCE_EXPIRED and not each.final:
                await renewals.add(connection, each, self._now())


def _latest(events: Sequence[Event]) -> dict[UUID, int]:
    """The highest revision that is spoken of, by job."""
    return {event.job_id: event.revision for event in sorted(events, key=lambda event: event.revision)}


def _of(kind: type[E], heard: Sequence[Heard]) -> list[E]:
    return [item.event for item in heard if isinstance(item.event, kind)]
