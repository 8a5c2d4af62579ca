"""What the engine needs of a provider."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from generator_service.calls import Call, Capability, Found, Polled, Submitted


class Provider(Protocol):
    """Somebody who makes media for money. Faults are answers, never exceptions; nothing is retried in here.

    `at` is the time by the caller's clock. Methods beside `submit` and `poll` are only called when the capability
    of that name is declared.
    """

    name: str
    capabilities: frozenset[Capability]

    async def submit(self, call: Call, at: datetime) -> Submitted:
        """Ask for a call to be made, once. With a repeatable capability the same attempt again is the same call."""

    async def poll(self, call: Call, at: datetime) -> Polled:
        """Ask how a submitted call goes. Costs nothing, may be repeated."""

    async def poll_many(self, calls: Sequence[Call], at: datetime) -> Mapping[str, Polled]:
        """The same for many at once, by provider id, in as few requests as the provider allows. May leave some out."""

    async def find(self, call: Call, at: datetime) -> Found:
        """LIST_MATCH: the calls at the provider that may be this one, whose answer was lost."""

    async def cancel(self, call: Call, at: datetime) -> None:
        """CANCEL: ask the provider to stop. What it made anyway is still ours."""
