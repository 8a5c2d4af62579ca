"""What the generator hears."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from generator_service.decide import ACTIVE, Claim
from generator_service.plan import plan, plan_again
from generator_service.store import Store
from schemas.clock import Clock
from schemas.events import CancelRequested, Event, GenerationSubmitted, JobRequested, ProviderCalledBack, RetryRequested
from stage.consume import Heard
from stage.database import Connection
from stage.telemetry import get_logger

log = get_logger(__name__)

TOPICS = (JobRequested.topic, CancelRequested.topic, RetryRequested.topic, ProviderCalledBack.topic)
E = TypeVar("E", bound=Event)


class Handlers:
    """Turns requests into provider calls to make, and callbacks into looks. Nothing here asks a provider."""

    def __init__(self, store: Store, provider_of: Callable[[str], str], now: Clock) -> None:
        self._store, self._provider_of, self._now = store, provider_of, now

    async def hear(self, connection: Connection, heard: Sequence[Heard]) -> None:
        """Record what a batch means. Runs inside the transaction that also moves the offsets.

        A repeat, by whatever road it comes, adds nothing.
        """
        if requests := _of(JobRequested, heard):
            await self.on_job_requested(connection, requests)
        if retries := _of(RetryRequested, heard):
            await self.on_retry_requested(connection, retries)
        if cancels := _of(CancelRequested, heard):
            latest = {c.job_id: max(o.revision for o in cancels if o.job_id == c.job_id) for c in cancels}
            await self._store.cancel(connection, latest, self._now())
        if callbacks := _of(ProviderCalledBack, heard):
            await self.on_provider_called_back(connection, callbacks)

    async def on_job_requested(self, connection: Connection, requests: Sequence[JobRequested]) -> None:
        """Plan the requests whose gate was still closed; of two with one id the first in the log is planned.

        A cancel that came earlier has waited for its request, and marks what is planned here.
        """
        first: dict[tuple[UUID, int], JobRequested] = {}
        for request in requests:
            first.setdefault((request.job_id, request.revision), request)
        ours = await self._store.open_gates(connection, list(first.values()))
        planned = [request for gate, request in first.items() if gate in ours]
        calls = (call for request in planned for call in plan(request, self._provider_of))
        await self._store.add(connection, calls, self._now())
        await self._store.mark_cancelled(connection, [request.job_id for request in planned], self._now())

    async def on_retry_requested(self, connection: Connection, retries: Sequence[RetryRequested]) -> None:
        """Plan what retries pay for again, once per revision, from the plan of the revisions before.

        A cancel of that revision that came earlier marks it, as with requests.
        """
        for retry in retries:
            if await self._store.open_gates(connection, [retry]):
                earlier = await self._store.planned(connection, retry.job_id, retry.revision)
                await self._store.add(connection, plan_again(retry, earlier), self._now())
                await self._store.mark_cancelled(connection, [retry.job_id], self._now())

    async def on_provider_called_back(self, connection: Connection, callbacks: Sequence[ProviderCalledBack]) -> None:
        """Adopt a lost call that its provider named, and look at a running one now.

        What the callback says of the call is not believed: the provider is asked. One about another attempt, an
        unknown generation or a call that is over changes nothing.
        """
        claims = await self._store.lock_called_back(connection, [each.generation_id for each in callbacks])
        for callback in callbacks:
            claim = claims.get(callback.generation_id)
            if claim is None or claim.call.attempt != callback.attempt or claim.provider != callback.provider:
                continue
            if claim.state in ACTIVE and claim.call.provider_id is None:
                await self._adopt(connection, claim, callback.provider_id)
            elif claim.call.provider_id not in (None, callback.provider_id):
                log.error("a second call for one attempt", job_id=str(claim.job_id), provider_id=callback.provider_id)
        await self._store.look_now(connection, list(claims), self._now())

    async def _adopt(self, connection: Connection, claim: Claim, provider_id: str) -> None:
        if await self._store.adopt(connection, claim, provider_id, self._now()):
            fact = claim.says(
                GenerationSubmitted, self._now(), provider_id=provider_id, outputs=claim.call.outputs,
                cost_units=claim.cost_units,
            )  # fmt: skip
            await self._store.say(connection, [fact])


def _of(kind: type[E], heard: Sequence[Heard]) -> list[E]:
    return [item.event for item in heard if isinstance(item.event, kind)]
