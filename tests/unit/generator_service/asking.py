"""A provider that remembers what it was asked, and a worker that asks it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from generator_service.calls import Call, Capability, Finished, Found, Polled, Running, Submitted, Unknown
from generator_service.claim import Claim, Policy
from generator_service.worker import Worker
from schemas.events import UrlSource
from tests.builders import NOON, a_call, a_generation_claim, later
from tests.fakes import GenerationStore

LEASE = timedelta(seconds=60)
POLICY = Policy(max_attempts=3, delay=lambda _: 5.0)
RUNNING = Running("r-1", later(2))
FINISHED = Finished("r-1", (UrlSource(url="https://replicate.delivery/a.jpg"),))
LOST = Unknown("the answer was lost")
EVERYTHING = (Capability.LIST_MATCH, Capability.CALLBACK, Capability.CANCEL)


class Asked:
    """A provider that remembers what it was asked, and answers as it is told."""

    name = "fake"

    def __init__(
        self, *capabilities: Capability, submit: Submitted = RUNNING, poll: Polled = RUNNING, find: Found = LOST,
        shown: Mapping[str, Polled] | None = None,
    ) -> None:  # fmt: skip
        self.capabilities = frozenset(capabilities)
        self._submit, self._poll, self._find, self._shown = submit, poll, find, shown or {}
        self.asked: list[str] = []
        self.calls: list[Call] = []

    async def submit(self, call: Call, at: datetime) -> Submitted:
        self._remember("submit", call, at)
        return self._submit

    async def poll(self, call: Call, at: datetime) -> Polled:
        self._remember("poll", call, at)
        return self._poll

    async def poll_many(self, calls: Sequence[Call], at: datetime) -> Mapping[str, Polled]:
        self.asked.append("poll_many")
        return self._shown

    async def find(self, call: Call, at: datetime) -> Found:
        self._remember("find", call, at)
        return self._find

    async def cancel(self, call: Call, at: datetime) -> None:
        self._remember("cancel", call, at)

    def _remember(self, what: str, call: Call, at: datetime) -> None:
        assert at == NOON
        self.asked.append(what)
        self.calls.append(call)


def a_worker(store: GenerationStore, *providers: Asked) -> Worker:
    by_name = {provider.name: provider for provider in providers}
    return Worker(store, by_name, POLICY, LEASE, lambda: NOON, lambda claim: f"https://hooks/{claim.call.attempt}")


def claim_in(state: str, **changes: Any) -> Claim:
    call = a_call(intent_at=NOON, provider_id="r-1" if state == "SUBMITTED" else None)
    return a_generation_claim(**{"state": state, "call": call, "polls": 1} | changes)


def running(count: int) -> list[Claim]:
    return [
        claim_in("SUBMITTED", call=a_call(generation_id=UUID(int=n), provider_id=f"r-{n}", intent_at=NOON))
        for n in range(count)
    ]
