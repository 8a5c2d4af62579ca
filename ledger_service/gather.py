"""Pure: what a stretch of the log adds up to, job by job, in memory.

All facts of a job share a partition number, so whoever hears one number's records of every topic knows those jobs
whole: their rows are written once, and never read back. Memory is bounded by shares: when the jobs in hand weigh too
much, half of them are put off to a later reading.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zlib import crc32

from ledger_service.attempts import Attempt, attempts_of
from ledger_service.fold import Job, Standing, fold, standing
from ledger_service.tables import Result
from schemas.events import Event
from schemas.wire import Position

LIMIT = 32 * 1_024 * 1_024
"""Bytes of records whose jobs a process gathers at a time, while as many are copied. In memory they take about five
times as much.
"""

TOGETHER = 2 * LIMIT
"""The same for all processes that gather at a time."""

EARLIEST = ("started_at",)
"""Of an attempt's columns, those of which the least is kept; of any other it is the greatest."""

_results = tuple(Result)

TryKey = tuple[int, str, int, int]


def limit_of_each(processes: int) -> int:
    """What one process may gather when so many do."""
    return min(LIMIT, TOGETHER // processes)


@dataclass(frozen=True, slots=True)
class Share:
    """One of `parts` equal parts of the jobs, told apart by their keys."""

    parts: int = 1
    number: int = 0

    def holds(self, key: bytes) -> bool:
        """Whether the job with this key belongs to it."""
        return self.parts == 1 or crc32(key) % self.parts == self.number

    def halves(self) -> tuple["Share", "Share"]:
        """The two shares that it consists of."""
        return Share(self.parts * 2, self.number), Share(self.parts * 2, self.number + self.parts)


class _Known:
    """What is known of one job. A plain class: one is made for each."""

    __slots__ = ("job", "said", "tries")

    def __init__(self) -> None:
        self.job: Job | None = None
        self.said = 0
        self.tries: dict[TryKey, list[Attempt]] = {}


class Gathered:
    """The jobs of a share, as far as their facts were heard. Each is known by its records' key."""

    def __init__(self, share: Share) -> None:
        self.share = share
        self._known: dict[bytes, _Known] = {}
        self._weight = 0

    def hear(self, key: bytes, event: Event, position: Position, size: int) -> None:
        """Fold one fact, whose record takes `size` bytes."""
        known = self._of(key)
        job = known.job or Job(event.job_id, event.tenant, event.occurred_at)
        known.job = fold(job, event, position)
        for attempt in attempts_of(event):
            try_key = (attempt.revision, attempt.kind, attempt.subject, attempt.attempt)
            known.tries.setdefault(try_key, []).append(attempt)
        self._weight += size

    def hear_said(self, key: bytes, revision: int) -> None:
        """Remember that the end of a job's revision was announced."""
        known = self._of(key)
        known.said = max(known.said, revision)

    def _of(self, key: bytes) -> _Known:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known()
        return known

    def lighten(self, limit: int = LIMIT) -> Share | None:
        """Drop half of the jobs when all weigh more than `limit`. Returns the share that was put off, or None."""
        if self._weight <= limit:
            return None
        self.share, put_off = self.share.halves()
        self._known = {key: known for key, known in self._known.items() if self.share.holds(key)}
        self._weight //= 2
        return put_off

    def jobs(self) -> Iterator[tuple[Job, Standing]]:
        """Every job, with what it adds up to and how far it was announced."""
        for known in self._known.values():
            if job := known.job:
                job.announced = min(known.said, job.revision)
                yield job, standing(job)

    def attempts(self) -> tuple[list[Attempt], list[Attempt]]:
        """Every attempt: those that are whole, and what was said of those whose words differ.

        Which of two texts is the greater, the database decides.
        """
        whole: list[Attempt] = []
        disputed: list[Attempt] = []
        for known in self._known.values():
            for tries in known.tries.values():
                one = joined(tries)
                if one is None:
                    disputed += tries
                else:
                    whole.append(one)
        return whole, disputed


def joined(tries: Sequence[Attempt]) -> Attempt | None:
    """What facts together say of one attempt, as the database joins it; None when their words differ."""
    if len(tries) == 1:
        return tries[0]
    kept: list[Any] = []
    for name, told in zip(Attempt._fields, zip(*tries, strict=True), strict=True):
        if told.count(told[0]) == len(told):
            kept.append(told[0])
            continue
        known = {value for value in told if value is not None}
        if len(known) > 1:
            if name == "result":
                known = {max(known, key=_results.index)}
            elif any(isinstance(value, str) for value in known):
                return None
            else:
                known = {min(known) if name in EARLIEST else max(known)}
        kept.append(next(iter(known)))
    return Attempt(*kept)


def fold_all(jobs: dict[UUID, Job], facts: Iterable[tuple[Event, Position]]) -> list[tuple[Job, Standing]]:
    """The jobs that these facts touch, now that they know them; `jobs` are those heard of before."""
    touched: dict[UUID, Job] = {}
    for event, position in facts:
        job = jobs.setdefault(event.job_id, Job(event.job_id, event.tenant, event.occurred_at))
        touched[event.job_id] = fold(job, event, position)
    return [(job, standing(job)) for job in touched.values()]
