"""One prediction: what was asked, and what becomes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from typing import Any, TypeVar

from darkroom.simulators.replicate.course import TERMINAL, Course, Standing, charged, span_of, standing
from darkroom.simulators.replicate.faults.courses import (
    Abort,
    CourseFault,
    EchoWebhook,
    Fail,
    OutputCount,
    OutputShape,
    RemoveAfter,
    RenameModel,
    Slow,
    Stuck,
    TimeDigits,
    Unlisted,
)
from darkroom.simulators.replicate.models import SimulatedModel

F = TypeVar("F", bound=CourseFault)

GRAIN = (
    6e-7  # seconds: times are kept in whole microseconds, and what is due at a time must be due when it is read back
)


@dataclass(frozen=True)
class Ask:
    """What a create asked for."""

    model: SimulatedModel
    version: str  # as the answer shows it: 64 hex, `hidden`, or `dp-…`
    input: dict[str, Any]
    webhook: str | None = None
    events: frozenset[str] = frozenset({"output", "completed"})  # without a filter
    cancel_after: float = inf
    deployment: str | None = None


@dataclass(frozen=True)
class Look:
    """How it shows itself, where it differs from the usual."""

    model: str
    shape: str | None = None
    digits: int | None = None
    echo_webhook: bool = False


@dataclass(frozen=True)
class Prediction:
    """A prediction that was accepted. A cancel makes it another value; nothing else does."""

    number: int  # in the order they were accepted, from 1
    id: str
    token: str  # in the URLs of its files
    seed: int
    ask: Ask
    course: Course
    look: Look
    created_at: datetime
    keeps: float  # seconds from the end until it is removed
    unlisted: float = 0.0  # seconds

    def standing(self, now: datetime) -> Standing:
        """What can be seen of it."""
        return standing(self.course, self.age(now))

    def age(self, now: datetime) -> float:
        """In seconds."""
        return (now - self.created_at).total_seconds() + GRAIN

    def at(self, age: float) -> datetime:
        """The time at which it is so old."""
        return self.created_at + timedelta(seconds=age)

    def ended(self, now: datetime) -> bool:
        """Whether its status is final."""
        return self.standing(now).status in TERMINAL

    def removed(self, now: datetime) -> bool:
        """Whether its input, output, logs and files are gone."""
        return self.age(now) >= span_of(self.course).ended + self.keeps

    def listed(self, now: datetime) -> bool:
        """Whether the list shows it yet."""
        return self.age(now) >= self.unlisted

    def charged(self, now: datetime) -> bool:
        """Whether it is on the bill with more than nothing."""
        return charged(self.course, self.age(now))

    def canceled(self, age: float) -> "Prediction":
        """As it becomes when a cancel takes effect at that age; the same once it has ended."""
        return replace(self, course=replace(self.course, canceled=min(age, self.course.canceled)))

    def finished(self, age: float) -> "Prediction":
        """As it becomes when it happens to succeed at that age."""
        queue = min(self.course.queue, age / 2)
        return replace(self, course=replace(self.course, queue=queue, run=age - queue, error=None, aborts=False))

    @property
    def extension(self) -> str:
        """The kind of file it makes."""
        formats = self.ask.model.formats
        wanted = self.ask.input.get("output_format")
        return next((kind for kind in formats if kind == wanted), formats[0])


def course_of(ask: Ask, queue: float, run: float, faults: Sequence[CourseFault]) -> Course:
    """What becomes of a prediction under these faults; the latency it would have without them is told."""
    wanted = ask.input.get("num_outputs", 1)
    outputs = min(wanted, ask.model.most_outputs) if isinstance(wanted, int) else 1
    if ask.model.kind == "text":
        outputs = len(words_of(ask.input))
    if slow := _of(faults, Slow):
        queue = queue if slow.queue_seconds is None else slow.queue_seconds
        run = run if slow.run_seconds is None else slow.run_seconds
    aborts = bool(_of(faults, Abort))
    if (stuck := _of(faults, Stuck)) and not aborts:
        queue, run = (inf, run) if stuck.status == "starting" else (queue, inf)
    count, failure = _of(faults, OutputCount), _of(faults, Fail)
    return Course(
        queue, run, count.count if count else outputs, ask.model.one_by_one, aborts,
        failure.error if failure else None, ask.cancel_after,
    )  # fmt: skip


def look_of(ask: Ask, faults: Sequence[CourseFault]) -> Look:
    """How a prediction shows itself under these faults."""
    renamed, shape, digits = _of(faults, RenameModel), _of(faults, OutputShape), _of(faults, TimeDigits)
    return Look(
        renamed.to if renamed else ask.model.name,
        shape.shape if shape else None,
        digits.digits if digits else None,
        bool(_of(faults, EchoWebhook)),
    )


def keeps_of(usual: float, faults: Sequence[CourseFault]) -> float:
    """How long it keeps its data."""
    removal = _of(faults, RemoveAfter)
    return removal.seconds if removal else usual


def unlisted_of(faults: Sequence[CourseFault]) -> float:
    """How long the list does not show it."""
    lag = _of(faults, Unlisted)
    return lag.seconds if lag else 0.0


def words_of(given: dict[str, Any]) -> list[str]:
    """The chunks of text that a model of words answers with."""
    text = f"You said: {given.get('prompt', '')}. A llama stands still, the hills are far and quiet."
    return [word + " " for word in text.split()]


def _of(faults: Sequence[CourseFault], kind: type[F]) -> F | None:
    """The first fault of that kind."""
    return next((fault for fault in faults if isinstance(fault, kind)), None)
