"""Where a prediction stands, as a function of its age. Pure: nothing runs while ten thousand of them wait.

starting ──queue──▶ processing ──run──▶ succeeded, failed
starting ──Cancel-After, or a fault──▶ aborted, free        starting ──cancel──▶ canceled, free
processing ──cancel, Cancel-After, 30 minutes──▶ canceled
"""

import re
from dataclasses import dataclass
from math import inf
from typing import Literal

Status = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
TERMINAL = frozenset({"succeeded", "failed", "canceled", "aborted"})

LONGEST_RUN = 30 * 60.0  # seconds: the platform's cap
LEAST_CANCEL_AFTER = 5.0
STEPS = 4  # lines of progress in the logs
THROTTLE = 0.5  # seconds between two webhooks of a kind, for `output` and `logs`

DURATION = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?")


@dataclass(frozen=True)
class Course:
    """What becomes of a prediction, in seconds of its age; `inf` is never."""

    queue: float
    run: float
    outputs: int = 1
    one_by_one: bool = False  # outputs appear while it runs
    aborts: bool = False
    error: str | None = None
    cancel_after: float = inf
    canceled: float = inf


@dataclass(frozen=True)
class Span:
    """When it started and ended, and as what; `inf` is never."""

    started: float
    ended: float
    ending: Status

    @property
    def seconds(self) -> float:
        """How long it ran, which is what is billed."""
        return self.ended - self.started if self.started < inf and self.ended < inf else 0.0


@dataclass(frozen=True)
class Standing:
    """What can be seen of a prediction at one moment."""

    status: Status
    started: bool
    outputs: int
    progress: int  # steps done, of STEPS


def span_of(course: Course) -> Span:
    """Whatever ends it first."""
    start = inf if course.aborts else course.queue
    ends: list[tuple[float, Status]] = [
        (course.canceled, "canceled"),
        (course.cancel_after, "aborted" if course.cancel_after <= start else "canceled"),
        (start + LONGEST_RUN, "canceled"),
        (start + course.run, "failed" if course.error is not None else "succeeded"),
    ]
    if course.aborts:
        ends.append((course.queue, "aborted"))
    ended, ending = min(ends, key=lambda end: end[0])
    return Span(start if start < ended else inf, ended, ending)


def standing(course: Course, age: float) -> Standing:
    """What can be seen of it at that age."""
    span = span_of(course)
    started = span.started <= age
    share = min(1.0, (min(age, span.ended) - span.started) / course.run) if started and course.run else float(started)
    if age >= span.ended:
        made = course.outputs if span.ending == "succeeded" else int(share * course.outputs) * course.one_by_one
        return Standing(span.ending, started, made, int(share * STEPS))
    made = int(share * course.outputs) if course.one_by_one else 0
    return Standing("processing" if started else "starting", started, made, int(share * STEPS))


def charged(course: Course, age: float) -> bool:
    """Whether it costs anything by that age: what ended without having started does not."""
    span = span_of(course)
    return span.started < inf or age < span.ended


def happenings(course: Course) -> list[tuple[float, str]]:
    """The ages at which webhooks are due, and of which event; in order, no more often than the platform sends them."""
    span = span_of(course)
    due: list[tuple[float, str]] = []
    if span.started < inf:
        due.append((span.started, "start"))
        due += [(span.started + course.run * step / STEPS, "logs") for step in range(1, STEPS + 1)]
        parts = range(1, course.outputs + 1) if course.one_by_one else [course.outputs] * (course.outputs > 0)
        if course.one_by_one or course.error is None:
            due += [(span.started + course.run * part / course.outputs, "output") for part in parts]
    within = sorted((happening for happening in due if happening[0] <= span.ended < inf or happening[0] < span.ended),
                    key=lambda happening: happening[0])  # fmt: skip
    return _throttled(within) + ([(span.ended, "completed")] if span.ended < inf else [])


def _throttled(due: list[tuple[float, str]]) -> list[tuple[float, str]]:
    last: dict[str, float] = {}
    kept = []
    for age, event in due:
        if event == "start" or age - last.get(event, -inf) >= THROTTLE:
            last[event] = age
            kept.append((age, event))
    return kept


def cancel_after(header: str) -> float | None:
    """The seconds in a `Cancel-After`: `90`, `5s`, `1h30m45s`. None when it is none, or shorter than five seconds."""
    shape = DURATION.fullmatch(header.strip())
    if not shape or not header.strip():
        return None
    seconds = sum(float(shape[unit] or 0) * scale for unit, scale in (("h", 3600), ("m", 60), ("s", 1)))
    return seconds if seconds >= LEAST_CANCEL_AFTER else None
