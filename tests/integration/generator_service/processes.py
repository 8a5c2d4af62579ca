"""Generator processes that stop wherever a test says so, on a clock that stands still until a test moves it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from generator_service.allowance import Limits
from generator_service.boot_time import boot_time
from generator_service.calls import REPEATABLE
from generator_service.claim import Claim, Policy, Verdict
from generator_service.handlers import Handlers
from generator_service.providers.protocol import Provider
from generator_service.store import Store
from generator_service.sweeping import Stopper, Sweeper
from generator_service.worker import Worker
from schemas.catalogue import catalogue
from schemas.clock import Clock
from stage.database import Pool

LEASE = timedelta(seconds=60)
# Short, so that few steps lead far: a lost call is looked at three times before it is held.
POLICY = Policy(
    max_attempts=3, delay=lambda attempt: 5.0 * attempt, look_for=timedelta(seconds=30),
    shortest_look=timedelta(seconds=8), longest_look=timedelta(seconds=20),
)  # fmt: skip


def doorbell(claim: Claim) -> str:
    """A callback URL that names the attempt."""
    return f"https://gateway/hooks/{claim.call.generation_id}/{claim.call.attempt}"


class Death(StrEnum):
    """When a process dies: between any two of the beats of its work."""

    CLAIMED = "claimed and nobody asked"
    ASKED = "asked and not recorded"
    RECORDED = "recorded, and late answers not taken in"


class Process:
    """One generator process: what it holds in memory is gone when it crashes."""

    def __init__(
        self, pool: Pool, owner: str, provider: Provider, routes: Mapping[str, str], now: Clock
    ) -> None:  # fmt: skip
        self._pool, self._provider, self._now = pool, provider, now
        providers = {provider.name: provider}
        self.store = Store(pool, "generator", owner, {provider.name: Limits(per_minute=600)})
        self.handlers = Handlers(self.store, routes.__getitem__, catalogue(), now)
        self.worker = Worker(self.store, providers, POLICY, LEASE, now, doorbell)
        self.stopper = Stopper(pool, providers, now)
        self.claims: list[tuple[str, Any]] = []
        self.verdicts: list[Verdict] = []
        self.recorded: list[Verdict] = []

    async def claim(self, limit: int) -> None:
        """Claim some of each kind of work."""
        made = sorted(await self.worker.claim_to_make(limit), key=_name)
        self.claims += [("make", self._on_this_clock(claim)) for claim in made]
        unserved = await self.worker.claim_unserved(limit)
        for groups in (await self.worker.claim_to_look_at(limit), await self.worker.claim_waiting(limit), unserved):
            ones = sorted((claim for group in groups for claim in group), key=_name)
            self.claims += [("look", self._on_this_clock(claim)) for claim in ones]

    def _on_this_clock(self, claim: Claim) -> Claim:
        """Until when it may send was said by the machine's clock, which knows nothing of the test's."""
        if claim.call.send_by is None:
            return claim
        left = round(claim.call.send_by - boot_time())
        return replace(claim, call=replace(claim.call, send_by=self._now().timestamp() + left))

    async def ask(self, nth: int = 0) -> None:
        """Ask the outside world about one claim."""
        kind, claim = self.claims.pop(nth % len(self.claims))
        if kind == "make":
            self.verdicts.append(await self.worker.make(claim))
        else:
            self.verdicts += await self.worker.look([claim])

    async def record(self) -> None:
        """Write what is known."""
        self.recorded, self.verdicts = self.verdicts, []
        if self.recorded:
            await self.worker.record(self.recorded)

    async def record_again(self) -> None:
        """The same once more: the answer to the first commit was lost."""
        await self.worker.record(self.recorded)

    async def crash(self) -> None:
        """Forget everything, and start again."""
        self.claims, self.verdicts, self.recorded = [], [], []
        repeatable = [self._provider.name] if REPEATABLE & self._provider.capabilities else []
        await self.store.take_back(repeatable, self._now())

    async def sweep(self) -> None:
        """End what nobody wants, and plan what waited: both slow and quick looks, as after a start."""
        await Sweeper(self.store, self._pool, self.handlers.hear_early, self._now).sweep()

    async def stop_duplicates(self) -> None:
        """Ask for second calls to be stopped."""
        claims = await self.stopper.claim(10)
        await self.stopper.record([await self.stopper.stop(claim) for claim in claims])


def _name(claim: Claim) -> str:
    return str(claim.call.generation_id)
