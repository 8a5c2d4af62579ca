"""A provider in memory that charges for every call it accepts, and whose answers get lost as it is told."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from generator_service.calls import (
    REPEATABLE,
    Call,
    Candidates,
    Capability,
    Failed,
    Finished,
    Found,
    NotSent,
    Polled,
    Running,
    Submitted,
    Throttled,
    Unknown,
)  # fmt: skip
from schemas.events import UrlSource

KINDS = {
    "takes our id": frozenset({Capability.CLIENT_ID}),
    "takes a key": frozenset({Capability.IDEMPOTENCY_KEY, Capability.CANCEL}),
    "lists and calls back": frozenset({Capability.LIST_MATCH, Capability.CALLBACK, Capability.CANCEL}),
    "calls back": frozenset({Capability.CALLBACK}),
    "does nothing for us": frozenset[Capability](),
}
SKEW = timedelta(seconds=5)  # a list is read back to that long before the intent: clocks differ


class Reply(StrEnum):
    """What comes of asking for a call."""

    ACCEPTED_AND_LOST = "accepted and lost"
    REFUSED_FOR_NOW = "refused for now"
    ACCEPTED = "accepted"
    LOST = "lost"
    THROTTLED = "throttled"
    NOT_SENT = "not sent"
    REFUSED = "refused"


class Fate(StrEnum):
    """How an accepted call ends, unless it is stopped before."""

    MADE = "made"
    TOO_FEW = "too few"
    BROKEN = "broken"
    UNWANTED = "unwanted"


@dataclass(frozen=True)
class Luck:
    """How the outside world behaves to whoever asks next."""

    reply: Reply = Reply.ACCEPTED
    fate: Fate = Fate.MADE
    seconds: int = 0
    """How long an accepted call runs; it ends at once without any."""
    lag: int = 0
    """After how many seconds the list shows it."""
    deaf: bool = False
    """Whether looks are lost."""


@dataclass
class Accepted:
    """A call that a provider accepted: a charge."""

    id: str
    provider: str
    call: Call
    made_at: datetime
    luck: Luck
    stopped_at: datetime | None = None

    @property
    def over_at(self) -> datetime:
        """When it ended, or will."""
        return self.stopped_at or self.made_at + timedelta(seconds=self.luck.seconds)

    def over(self, at: datetime) -> bool:
        return at >= self.over_at

    def failed(self, at: datetime) -> bool:
        """Whether it is over by then and made nothing. Nobody else may be asked for the same before that."""
        return self.over(at) and (self.stopped_at is not None or self.luck.fate in (Fate.BROKEN, Fate.UNWANTED))

    def stop(self, at: datetime) -> None:
        if not self.over(at):
            self.stopped_at = at


Input = tuple[str, str, str, int, int]


def input_of(provider: str, call: Call) -> Input:
    """What a provider's list shows of a call: two calls with the same cannot be told apart."""
    return provider, call.model, call.prompt, call.seed, call.num_outputs


@dataclass
class World:
    """What really happened."""

    lucks: deque[Luck] = field(default_factory=lambda: deque([Luck()]))
    """What happens to whoever asks next, in turn."""
    accepted: list[Accepted] = field(default_factory=list)

    def turn(self) -> Luck:
        """The luck of whoever asks now."""
        self.lucks.rotate(-1)
        return self.lucks[-1]

    def bells(self, at: datetime) -> Iterator[tuple[Accepted, str]]:
        """The callbacks that were made by then, each with what it says. Nobody knows which of them arrive."""
        for each in self.accepted:
            if each.call.callback_url is not None:
                yield each, "starting"
                if each.over(at):
                    yield each, "failed" if each.failed(at) else "succeeded"


class Pretender:
    """A provider with the capabilities it is given."""

    def __init__(self, name: str, world: World, capabilities: frozenset[Capability]) -> None:
        self.name, self.capabilities, self._world = name, capabilities, world

    async def submit(self, call: Call, at: datetime) -> Submitted:
        luck = self._world.turn()
        if luck.reply is Reply.NOT_SENT or (call.send_by is not None and at.timestamp() > call.send_by):
            return NotSent("the claim ran out, or no connection came about")
        if luck.reply is Reply.THROTTLED:
            return Throttled(timedelta(seconds=10), "slow down")
        if luck.reply in (Reply.REFUSED, Reply.REFUSED_FOR_NOW):
            return Failed(luck.reply, "no", retryable=luck.reply is Reply.REFUSED_FOR_NOW)
        if luck.reply is Reply.LOST:
            return Unknown("nothing was heard of it")
        accepted = self._accept(call, at, luck)
        if luck.reply is Reply.ACCEPTED_AND_LOST:
            return Unknown("the answer was cut off")
        return self._told(accepted, call, at)

    async def poll(self, call: Call, at: datetime) -> Polled:
        if self._world.turn().deaf:
            return Unknown("the look was lost")
        return self._told(self._known(call), call, at)

    async def poll_many(self, calls: Sequence[Call], at: datetime) -> Mapping[str, Polled]:
        return {call.provider_id: await self.poll(call, at) for call in calls if call.provider_id}

    async def find(self, call: Call, at: datetime) -> Found:
        assert Capability.LIST_MATCH in self.capabilities
        if self._world.turn().deaf:
            return Unknown("the list could not be read")
        since, wanted = (call.intent_at or at) - SKEW, input_of(self.name, call)
        shown = (
            each.id
            for each in self._world.accepted
            if input_of(each.provider, each.call) == wanted and each.made_at >= since
            and at >= each.made_at + timedelta(seconds=each.luck.lag)
        )  # fmt: skip
        return Candidates(tuple(shown), complete=True)

    async def cancel(self, call: Call, at: datetime) -> None:
        assert Capability.CANCEL in self.capabilities
        if not self._world.turn().deaf:
            self._known(call).stop(at)

    def _accept(self, call: Call, at: datetime, luck: Luck) -> Accepted:
        if REPEATABLE & self.capabilities:
            for known in self._world.accepted:
                if (known.call.generation_id, known.call.attempt) == (call.generation_id, call.attempt):
                    return known
        accepted = Accepted(f"{self.name}-{len(self._world.accepted)}", self.name, call, at, luck)
        self._world.accepted.append(accepted)
        return accepted

    def _known(self, call: Call) -> Accepted:
        return next(each for each in self._world.accepted if each.id == call.provider_id)

    def _told(self, accepted: Accepted, call: Call, at: datetime) -> Running | Finished | Failed:
        if not accepted.over(at):
            return Running(accepted.id)
        if accepted.failed(at):
            word = "cancelled" if accepted.stopped_at else str(accepted.luck.fate)
            return Failed(word, "it ended badly", retryable=word == Fate.BROKEN, provider_id=accepted.id)
        made = max(1, len(call.outputs) - (accepted.luck.fate is Fate.TOO_FEW))
        return Finished(accepted.id, tuple(UrlSource(url=f"https://made/{accepted.id}/{n}") for n in range(made)))
