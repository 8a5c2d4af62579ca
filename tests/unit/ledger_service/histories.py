"""Histories of a job as its services would write them, and ways in which they may be heard."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from hypothesis import strategies as st

from ledger_service.fold import Job, fold
from schemas.events import Event, MediaGenerated
from schemas.wire import Position
from tests.builders import (
    a_failed_generation,
    a_failed_upload,
    a_generated_output,
    a_request,
    a_stored_output,
    a_submission,
    later,
)
from tests.builders import at as place

CODES = ("provider_failed", "content_policy", "cancelled", "deadline_exceeded")


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
    """What may come of a job: calls for one or several outputs, retries, failures, uploads; over or not."""
    outputs = draw(st.integers(1, 4))
    per_call = draw(st.sampled_from([1, 2, outputs]))
    clock = map(later, count(1))
    events: list[Event] = [a_request(num_outputs=outputs, metadata={"order": "A-17"})]
    for number, first in enumerate(range(0, outputs, per_call)):
        covered = tuple(range(first, min(first + per_call, outputs)))
        events += draw(_calls(number, covered, clock))
    for made in [event for event in events if isinstance(event, MediaGenerated)]:
        events += draw(_uploads(made.index, clock))
    copies = draw(st.lists(st.sampled_from(events), max_size=4))
    return in_the_log([*events, *copies])


@st.composite
def _calls(draw: st.DrawFn, number: int, outputs: tuple[int, ...], clock: Iterator[datetime]) -> list[Event]:
    """Some attempts that fail, then one that makes some of the outputs, or fails for good, or is not over yet."""
    events: list[Event] = []
    failed = draw(st.integers(0, 3))
    for attempt in range(1, failed + 1):
        tried = {"generation": number, "attempt": attempt, "outputs": outputs}
        if draw(st.booleans()):
            events.append(a_submission(occurred_at=next(clock), **tried))
        events.append(a_failed_generation(occurred_at=next(clock), final=False, next_try_at=next(clock), **tried))
    last = {"generation": number, "attempt": failed + 1}
    made = draw(st.integers(0, len(outputs)))
    if made:
        events.append(a_submission(occurred_at=next(clock), outputs=outputs, **last))
        events += [a_generated_output(occurred_at=next(clock), index=index, **last) for index in outputs[:made]]
    if made < len(outputs) and (made or draw(st.booleans())):
        code = "too_few_outputs" if made else draw(st.sampled_from(CODES))
        events.append(a_failed_generation(occurred_at=next(clock), outputs=outputs[made:], code=code, **last))
    return events


@st.composite
def _uploads(draw: st.DrawFn, index: int, clock: Iterator[datetime]) -> list[Event]:
    """Some tries that fail, then one that stores the output, or fails for good, or is not over yet."""
    failed = draw(st.integers(0, 2))
    events: list[Event] = [
        a_failed_upload(occurred_at=next(clock), index=index, attempt=attempt, final=False)
        for attempt in range(1, failed + 1)
    ]
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
