"""When a fault strikes. Which faults there are is each simulator's own matter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from generator_service.providers.chance import Chance


@dataclass(frozen=True)
class Subject:
    """What is about to happen: a call to the simulator, a webhook it would send, a file it would serve."""

    call: str
    model: str | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    event: str | None = None  # of a webhook


class Fault(BaseModel):
    """Something that goes wrong, and when. Without any condition, always.

    Conditions narrow each other: first `on`, `model`, `input` and `event` say which calls are meant; of those, `nth`
    picks by number (counted from 1), `chance` by the seeded dice, and `times` ends it after so many strikes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: str
    on: str
    model: str | None = Field(None, description="owner/name, as the caller named it.")
    input: dict[str, Any] = Field({}, description="Fields that the input holds, with these values.")
    nth: tuple[Annotated[int, Field(ge=1)], ...] = Field((), description="Which of the matching calls, from 1.")
    times: int | None = Field(None, ge=1, description="No more than so many strikes.")
    chance: float = Field(1.0, ge=0, le=1, description="The share of the matching calls, by the seed.")

    def means(self, subject: Subject) -> bool:
        """Whether it is about this call at all."""
        return (
            self.on == subject.call
            and self.model in (None, subject.model)
            and all(subject.input.get(name) == value for name, value in self.input.items())
        )


Kind = TypeVar("Kind", bound=Fault)


@dataclass
class Tally:
    """How often a fault met a call it is about, and how often it struck."""

    seen: int = 0
    struck: int = 0


def strikes(fault: Fault, tally: Tally, dice: float) -> bool:
    """Whether the fault strikes the call just seen. Pure: same numbers, same answer."""
    if fault.nth and tally.seen not in fault.nth:
        return False
    if fault.times is not None and tally.struck >= fault.times:
        return False
    return dice < fault.chance


class FaultPlan:
    """The faults of a simulator and how often each struck. Deterministic: by count and seed, never by time."""

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0) -> None:
        self._seed = seed
        self.use(faults)

    def use(self, faults: Sequence[Fault]) -> None:
        """These faults from now on, instead of those before; counting starts anew."""
        self._tallies = [(fault, Tally()) for fault in faults]

    def restart(self) -> None:
        """Start counting anew."""
        self.use([fault for fault, _ in self._tallies])

    def strike(self, subject: Subject, kind: type[Kind]) -> list[Kind]:
        """The faults of this kind that strike, in the order they were given. Each call is counted."""
        struck: list[Kind] = []
        for place, (fault, tally) in enumerate(self._tallies):
            if not isinstance(fault, kind) or not fault.means(subject):
                continue
            tally.seen += 1
            if strikes(fault, tally, Chance("fault", self._seed, place, tally.seen).unit()):
                tally.struck += 1
                struck.append(fault)
        return struck

    def report(self) -> list[dict[str, Any]]:
        """Each fault with its counts."""
        return [
            fault.model_dump(exclude_defaults=True) | {"fault": fault.fault, "seen": tally.seen, "struck": tally.struck}
            for fault, tally in self._tallies
        ]
