"""What a provider stands on in the conformance suite."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID, uuid4

from generator_service.calls import Call
from generator_service.providers.protocol import Provider
from schemas.events import StagedSource

PROMPT = "a lighthouse nobody has ever painted"


class Trouble(StrEnum):
    """What may happen to the next call."""

    LOST_ANSWER = "the work is accepted, then the connection ends"
    ERROR_AFTER = "the work is accepted, then something in between answers 502"
    THROTTLED = "429"
    REFUSED = "the content is refused"
    BROKEN = "the model breaks"


class Bench(Protocol):
    """A provider, and the power to make things go wrong for it."""

    provider: Provider
    troubles: frozenset[Trouble]
    most_outputs: int

    def call(self, trouble: Trouble | None = None, **changes: Any) -> Call:
        """A call for a model it has; `trouble` strikes when it is submitted."""

    def charged(self) -> int | None:
        """How many calls were taken on. None when nobody counts."""

    def now(self) -> datetime:
        """The time by the simulator's clock."""


def a_call(**changes: Any) -> Call:
    """A call, whole and plain."""
    facts: dict[str, Any] = {
        "generation_id": uuid4(), "attempt": 1, "outputs": (0,), "model": "fake/painter", "prompt": PROMPT,
        "num_outputs": 1, "seed": 7, "output_format": None, "input": {},
    }  # fmt: skip
    return Call(**facts | changes)


class Bucket:
    """Keeps what providers stage."""

    def __init__(self) -> None:
        self.kept: dict[tuple[UUID, int], bytes] = {}
        self.away = False

    async def stage(self, generation_id: UUID, index: int, content: bytes) -> StagedSource:
        if self.away:
            raise ConnectionError("the bucket is away")
        self.kept[generation_id, index] = content
        return StagedSource(key=f"staged/{generation_id}/{index}", sha256="0" * 64, size=len(content))


def submitted(call: Call, provider_id: str, at: datetime) -> Call:
    """The call as the engine stores it once it was accepted."""
    changes = {"provider_id": provider_id, "submitted_at": at}
    return Call(**{name: getattr(call, name) for name in Call.__slots__} | changes)
