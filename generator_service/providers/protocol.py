"""What the engine needs of a provider."""

from datetime import datetime
from typing import Protocol

from generator_service.calls import Call, Capability, Outcome


class Provider(Protocol):
    """Somebody who makes media for money. Faults are answers, never exceptions."""

    name: str
    capabilities: frozenset[Capability]

    async def submit(self, call: Call, at: datetime) -> Outcome:
        """Ask for a call to be made. With `CLIENT_ID`, asking again for the same attempt is the same call."""

    async def poll(self, call: Call, at: datetime) -> Outcome:
        """Ask how a submitted call goes. Costs nothing, may be repeated."""
