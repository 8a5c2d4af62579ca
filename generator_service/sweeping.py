"""Ends calls that were never made and never will be, and stops calls that nobody needs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from generator_service.boot_time import boot_time
from generator_service.calls import Call, Capability, Running, Unknown
from generator_service.claim import CANCELLED, OUT_OF_TIME, UNSERVED
from generator_service.doubt import give_up
from generator_service.former_calls import claim_duplicates, duplicate_is_over
from generator_service.providers.protocol import Provider
from generator_service.store import Store
from schemas.clock import Clock
from stage.database import PASSING, Connection, Pool
from stage.telemetry import get_logger
from stage.wake import Wake

log = get_logger(__name__)

AT_ONCE = 500
EVERY = 0.5  # seconds between looks for calls that are out of time
UNSERVED_FOR = timedelta(minutes=10)  # longer than a rolling change of settings: other replicas may know the provider
SLOWLY = 30.0  # seconds between looks at what is rare, and reads every call that waits
CANCEL_AGAIN = timedelta(seconds=30)


class Sweeper:
    """Ends what waits for nothing, each in the transaction that says so. Nothing was asked, so nothing was paid."""

    def __init__(
        self, store: Store, pool: Pool, hear_early: Callable[[Connection], Awaitable[None]], now: Clock
    ) -> None:  # fmt: skip
        self._store, self._pool, self._hear_early, self._now = store, pool, hear_early, now
        self._slowly_at = 0.0
        self.wake = Wake()

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`: cancelled calls, calls past their deadline, and calls to a provider that is gone."""
        while not stopping.is_set():
            try:
                ended = await self.sweep()
            except PASSING as fault:
                log.warning("nothing can be ended yet", fault=type(fault).__name__)
                ended = 0
            if ended < AT_ONCE:
                await self.wake.wait(EVERY)

    async def sweep(self) -> int:
        """End some of them. Returns how many."""
        at = self._now()
        ended = await self._store.end_unwanted(
            AT_ONCE, at, lambda claim: give_up(claim, CANCELLED if claim.cancel_at else OUT_OF_TIME, at)
        )
        if boot_time() >= self._slowly_at:
            self._slowly_at = boot_time() + SLOWLY
            ended += await self._store.end_unserved(AT_ONCE, at - UNSERVED_FOR, lambda c: give_up(c, UNSERVED, at))
            async with self._pool.acquire() as connection, connection.transaction():
                await self._hear_early(connection)
        return ended


class Stopper:
    """Asks providers to stop second calls until they do not run any more."""

    def __init__(self, pool: Pool, providers: Mapping[str, Provider], now: Clock) -> None:
        self._pool, self._providers, self._now = pool, providers, now

    async def claim(self, limit: int) -> Sequence[tuple[str, Call]]:
        """Up to `limit` calls to stop. One that still runs is due again after a while."""
        return await claim_duplicates(self._pool, limit, self._now(), CANCEL_AGAIN)

    async def stop(self, duplicate: tuple[str, Call]) -> tuple[str, str] | None:
        """Ask for it, and whether it is over."""
        name, call = duplicate
        provider = self._providers.get(name)
        if provider is None or call.provider_id is None:
            return None
        if Capability.CANCEL in provider.capabilities:
            await provider.cancel(call, self._now())
        outcome = await provider.poll(call, self._now())
        return None if isinstance(outcome, Running | Unknown) else (name, call.provider_id)

    async def record(self, over: Sequence[tuple[str, str] | None]) -> None:
        """Leave those alone that are over."""
        for each in over:
            if each is not None:
                await duplicate_is_over(self._pool, *each)
