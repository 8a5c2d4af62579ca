"""One prediction of a Cog container, and how it shows itself. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from darkroom.simulators.replicate.course import TERMINAL, Course, Standing, span_of, standing
from darkroom.simulators.replicate.prediction import GRAIN

FORMATS = ("png", "jpg", "webp", "wav")


@dataclass(frozen=True)
class Run:
    """A prediction that was taken on. The same id may run again once it has ended: that is another run, and costs."""

    number: int
    id: str | None
    input: dict[str, Any]
    webhook: str | None
    events: frozenset[str]
    course: Course
    created_at: datetime

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

    @property
    def extension(self) -> str:
        """The kind of file it makes."""
        return next((kind for kind in FORMATS if kind == self.input.get("output_format")), FORMATS[0])

    @property
    def seed(self) -> int:
        """The one in the input, or one that is always the same."""
        given = self.input.get("seed")
        return given if isinstance(given, int) else self.number


def shown(run: Run, now: datetime, files: Sequence[str]) -> dict[str, Any]:
    """The run as JSON; `files` are its outputs as data: URIs, needed once it has succeeded."""
    seen, span = run.standing(now), span_of(run.course)
    made = list(files)[: seen.outputs]
    single = "num_outputs" not in run.input and run.course.outputs == 1
    body: dict[str, Any] = {
        "id": run.id,
        "input": run.input,
        "output": (made[0] if single else made) if seen.status == "succeeded" and made else None,
        "logs": "",
        "error": run.course.error if seen.status == "failed" else None,
        "status": seen.status,
        "created_at": _timestamp(run.created_at),
    }
    if seen.started:
        body["started_at"] = _timestamp(run.at(span.started))
    if seen.status in TERMINAL:
        body |= {"completed_at": _timestamp(run.at(span.ended)), "metrics": {"predict_time": round(span.seconds, 6)}}
    return body


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
