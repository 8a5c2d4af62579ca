"""Histories of a job as its services would write them, and ways in which they may be heard."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from hypothesis import strategies as st

from ledger_service.fold import Job, fold
from schemas.events import (
    DataRemoved,
    Event,
    GenerationDoubted,
    GenerationFailed,
    MediaGenerated,
    UploadFailed,
    UrlSource,
)  # fmt: skip
from schemas.wire import Position
from tests.builders import (
    a_doubt,
    a_failed_generation,
    a_failed_upload,
    a_generated_output,
    a_removal,
    a_request,
    a_stored_output,
    a_submission,
    later,
)
from tests.builders import at as place

CODES = ("provider_failed", "content_policy", "cancelled", "deadline_exceeded")


def a_renewal(number: int, **changes: Any) -> MediaGenerated:
    """The same output once more, at another place."""
    return a_generated_output(renewal=number, source=UrlSource(url=f"https://replicate.delivery/{number}"), **changes)


@dataclass(frozen=True)
class Said:
    """A fact, and where in the log it lies."""

    event: Event
    position: Position


def in_the_log(events: Sequence[Event]) -> list[Said]:
    """The facts as they lie in their topics: each topic in the order of saying."""
    ends: Counter[str] = Counter()
    said = []
    for event in events:
        said.append(Said(event, place(event, ends[event.topic])))
        ends[event.topic] += 1
    return said


def heard(said: Sequence[Said]) -> Job:
    """The job that someone knows who heard this, in this order."""
    first = said[0].event
    job = Job(first.job_id, first.tenant, first.occurred_at)
    for fact in said:
        fold(job, fact.event, fact.position)
    return job


@st.composite
def histories(draw: st.DrawFn) -> list[Said]:
    """What may come of a job: calls for one or several outputs, doubts, retries, failures, uploads; over or not."""
    outputs = draw(st.integers(1, 4))
    per_call = draw(st.sampled_from([1, 2, outputs]))
    clock = map(later, count(1))
    events: list[Event] = [a_request(num_outputs=outputs, metadata={"order": "A-17"})]
    for number, first in enumerate(range(0, outputs, per_call)):
        covered = tuple(range(first, min(first + per_call, outputs)))
        events += draw(_calls(number, covered, clock))
    for made in [event for event in events if isinstance(event, MediaGenerated)]:
        events += draw(_uploads(made, clock))
    if draw(st.booleans()):
        events.append(a_removal(occurred_at=next(clock)))
    copies = draw(st.lists(st.sampled_from(events), max_size=4))
    return in_the_log([*events, *copies, *map(_reworded, copies)])


def _reworded(event: Event) -> Event:
    """The same fact said once more, in other words: those of the first count.

    Not a final one: its words are announced as soon as they are heard, and a topic is read in order.
    """
    match event:
        case GenerationDoubted():
            return event.model_copy(update={"cause": "said again", "occurred_at": later(9_000)})
        case GenerationFailed() | UploadFailed() if not event.final:
            return event.model_copy(update={"message": "said again", "occurred_at": later(9_000)})
        case MediaGenerated() | DataRemoved():
            return event.model_copy(update={"occurred_at": later(9_000)})
    return event


@st.composite
def _calls(draw: st.DrawFn, number: int, outputs: tuple[int, ...], clock: Iterator[datetime]) -> list[Event]:
    """Some attempts that fail, then one that makes some of the outputs, or fails for good, or is not over yet."""
    events: list[Event] = []
    tries = draw(st.integers(0, 3))
    for attempt in range(1, tries + 1):
        tried = {"generation": number, "attempt": attempt, "outputs": outputs}
        events += draw(_beginnings(tried, clock))
        if draw(st.booleans()):  # otherwise its outcome was never known, and it was called again
            events.append(a_failed_generation(occurred_at=next(clock), final=False, next_try_at=next(clock), **tried))
    last = {"generation": number, "attempt": tries + 1}
    events += draw(_beginnings({"outputs": outputs, **last}, clock))
    made = draw(st.integers(0, len(outputs)))
    if made:
        events += [a_generated_output(occurred_at=next(clock), index=index, **last) for index in outputs[:made]]
    if made < len(outputs) and (made or draw(st.booleans())):
        code = "too_few_outputs" if made else draw(st.sampled_from(CODES))
        events.append(a_failed_generation(occurred_at=next(clock), outputs=outputs[made:], code=code, **last))
    return events


@st.composite
def _beginnings(draw: st.DrawFn, tried: dict[str, Any], clock: Iterator[datetime]) -> list[Event]:
    """A try whose answer is lost or not: it is looked for, held, and found or not."""
    doubts = (False, True)[: draw(st.integers(0, 2))]
    events: list[Event] = [
        a_doubt(occurred_at=next(clock), held=held, cause=f"reset {tried['attempt']}", **tried) for held in doubts
    ]
    if draw(st.booleans()):
        events.append(a_submission(occurred_at=next(clock), **tried))
    return events


@st.composite
def _uploads(draw: st.DrawFn, made: MediaGenerated, clock: Iterator[datetime]) -> list[Event]:
    """Some tries that fail, then one that stores the output, or fails for good, or is not over yet."""
    failed, index = draw(st.integers(0, 2)), made.index
    events: list[Event] = [
        a_failed_upload(occurred_at=next(clock), index=index, attempt=attempt, final=False)
        for attempt in range(1, failed + 1)
    ]
    for number in range(1, draw(st.integers(0, 2)) + 1):
        origin = {"index": index, "generation": made.generation, "attempt": made.attempt}
        events.append(a_renewal(number, occurred_at=next(clock), **origin))
    end = draw(st.sampled_from([a_stored_output, a_stored_output, a_failed_upload, None]))
    if end:
        events.append(end(occurred_at=next(clock), index=index, attempt=failed + 1))
    return events


@st.composite
def hearings(draw: st.DrawFn, said: Sequence[Said]) -> list[Said]:
    """All of it in some order, parts of it more than once."""
    repeats = draw(st.lists(st.sampled_from(said), max_size=6))
    return draw(st.permutations([*said, *repeats]))


@st.composite
def heard_twice(draw: st.DrawFn) -> tuple[list[Said], list[Said]]:
    """A history as it lies in the log, and one of the ways in which it may be heard."""
    said = draw(histories())
    return said, draw(hearings(said))
