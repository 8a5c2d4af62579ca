"""How calls end that nobody was asked for, and how second calls are stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

import pytest

from generator_service.calls import Capability, Failed, Polled
from generator_service.claim import Claim, Verdict
from generator_service.sweeping import UNSERVED_FOR, Stopper, Sweeper
from schemas.events import GenerationFailed
from stage.database import Connection, Pool
from tests.builders import NOON, a_call, a_generation_claim
from tests.fakes import GenerationStore
from tests.unit.generator_service.asking import FINISHED, LOST, RUNNING, Asked

CANCELLED = Failed("cancelled", "somebody stopped it", retryable=False)


class Unasked(GenerationStore):
    """Rows that nobody was asked for: some are out of time or cancelled, some have no provider here."""

    def __init__(self, *unwanted: Claim, unserved: Claim | None = None, faults: int = 0) -> None:
        super().__init__()
        self._unwanted, self._unserved, self._faults = list(unwanted), unserved, faults
        self.ended: list[Verdict] = []
        self.waiting_since: list[datetime] = []

    async def end_unwanted(self, limit: int, at: datetime, end: Callable[[Claim], Verdict]) -> int:
        if self._faults:
            self._faults -= 1
            raise ConnectionResetError
        gone, self._unwanted = self._unwanted, []
        self.ended += [end(claim) for claim in gone]
        return len(gone)

    async def end_unserved(self, limit: int, at: datetime, end: Callable[[Claim], Verdict]) -> int:
        self.waiting_since.append(at)
        self.ended += [end(self._unserved)] if self._unserved else []
        return 1 if self._unserved else 0


class Transactions:
    """A pool whose transactions hold no statements."""

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["Transactions"]:
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield


class Ears:
    """What hears early retries, as often as it is asked to."""

    def __init__(self) -> None:
        self.heard = 0

    async def __call__(self, _: Connection) -> None:
        self.heard += 1


def a_sweeper(store: Unasked, ears: Ears | None = None) -> Sweeper:
    return Sweeper(store, cast(Pool, Transactions()), ears or Ears(), lambda: NOON)


def codes(store: Unasked) -> list[tuple[str, bool]]:
    facts = [fact for verdict in store.ended for fact in verdict.facts]
    return [(fact.code, fact.final) for fact in facts if isinstance(fact, GenerationFailed)]


async def test_a_cancelled_call_and_one_out_of_time_end_as_what_they_are() -> None:
    store = Unasked(a_generation_claim(cancel_at=NOON), a_generation_claim())

    ended = await a_sweeper(store).sweep()

    assert (ended, codes(store)) == (2, [("cancelled", True), ("deadline_exceeded", True)])
    assert [verdict.state for verdict in store.ended] == ["FAILED", "FAILED"]


async def test_a_call_that_waited_long_for_a_provider_nobody_has_ends_as_unavailable() -> None:
    store = Unasked(unserved=a_generation_claim())

    await a_sweeper(store).sweep()

    assert codes(store) == [("provider_unavailable", True)]
    assert store.waiting_since == [NOON - UNSERVED_FOR]


async def test_what_is_rare_is_looked_for_rarely() -> None:
    store, ears = Unasked(), Ears()
    sweeper = a_sweeper(store, ears)

    for _ in range(3):
        await sweeper.sweep()

    assert (len(store.waiting_since), ears.heard) == (1, 1)


async def test_a_database_that_is_away_is_waited_for() -> None:
    store, stopping = Unasked(a_generation_claim(), faults=1), asyncio.Event()
    sweeper = a_sweeper(store)

    run = asyncio.create_task(sweeper.run(stopping))
    async with asyncio.timeout(10):
        while not store.ended:
            sweeper.wake()
            await asyncio.sleep(0.01)
    stopping.set()
    sweeper.wake()
    await run

    assert codes(store) == [("deadline_exceeded", True)]


def a_stopper(*providers: Asked) -> Stopper:
    return Stopper(cast(Pool, Transactions()), {provider.name: provider for provider in providers}, lambda: NOON)


async def stopped(provider: Asked, **changes: Any) -> tuple[str, str] | None:
    return await a_stopper(provider).stop((provider.name, a_call(**{"provider_id": "second"} | changes)))


async def test_a_second_call_is_asked_to_stop_and_then_looked_at() -> None:
    provider = Asked(Capability.CANCEL, poll=CANCELLED)

    assert await stopped(provider) == ("fake", "second")
    assert provider.asked == ["cancel", "poll"]


@pytest.mark.parametrize("outcome", [RUNNING, LOST])
async def test_a_second_call_that_may_still_run_is_not_over(outcome: Polled) -> None:
    assert await stopped(Asked(Capability.CANCEL, poll=outcome)) is None


async def test_a_second_call_that_was_made_in_spite_of_it_is_over_too() -> None:
    assert await stopped(Asked(Capability.CANCEL, poll=FINISHED)) == ("fake", "second")


async def test_a_provider_that_cannot_stop_is_only_asked_how_it_goes() -> None:
    provider = Asked(poll=FINISHED)

    assert await stopped(provider) == ("fake", "second")
    assert provider.asked == ["poll"]


async def test_a_second_call_at_a_provider_that_is_not_set_up_here_is_left_for_those_who_know_it() -> None:
    assert await a_stopper().stop(("elsewhere", a_call(provider_id="second"))) is None
