"""What was seen of a job, and what is said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from generator_service.explain import GeneratorSees
from ledger_service.explain import LedgerSees
from stage.progress import Progress
from uploader_service.explain import UploaderSees


@dataclass(frozen=True, slots=True)
class Seen:
    """What each service's tables show of a job, and where the log ends; None where that could not be seen."""

    job_id: UUID
    ledger: LedgerSees | None = None
    generator: GeneratorSees | None = None
    uploader: UploaderSees | None = None
    ends: Mapping[str, int] | None = None
    """By topic, where the log of the job's partition ends."""
    unseen: Mapping[str, str] = field(default_factory=dict)
    """What could not be seen, and why not."""


@dataclass(frozen=True, slots=True)
class Why:
    """Why something is where it is. `moves`: what would move it, when it does not move by itself."""

    stage: str
    words: str
    attempt: int | None = None
    last_error: str | None = None
    next_try_at: datetime | None = None
    moves: str | None = None


@dataclass(frozen=True, slots=True)
class ExplainedOutput:
    """One output in its latest revision."""

    index: int
    revision: int
    status: str | None
    why: Why


@dataclass(frozen=True, slots=True)
class Explanation:
    """A job, in words. `known` is false when nothing that could be seen has heard of it."""

    known: bool
    summary: str
    outputs: Sequence[ExplainedOutput]


def moment(at: datetime | None) -> str:
    """A time, to the second, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%SZ}" if at else "some time"


def counted(number: int, what: str) -> str:
    """Such as `1 record` or `2 records`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def on_its_way(stage: str, speaker: tuple[str, Progress], reader: str, read: Progress | None, topic: str,
               ends: Mapping[str, int] | None) -> Why:  # fmt: skip
    """Why what one service has found out is not known to the next one."""
    name, progress = speaker
    if waiting := progress.unsaid.get(topic, 0):
        words = f"the {name} could not say so yet: {counted(waiting, 'fact')} of this job wait for Kafka ({topic})"
        return Why(stage, words, moves=f"see that Kafka answers, and what the {name}'s log says")
    if read is None:
        return Why(stage, f"what the {reader} makes of it could not be seen")
    return unread(stage, reader, read, topic, ends.get(topic) if ends else None)


def unread(stage: str, reader: str, read: Progress, topic: str, end: int | None) -> Why:
    """Why a service does not know of a fact in `topic`, which ends at `end` or holds the fact right before."""
    look = f"see that the {reader} runs, and what its log says"
    if end is None:
        words = f"the {reader} has not read it yet; how far behind it is could not be seen"
        return Why(stage, words, moves=look)
    behind = end - read.following.get(topic, 0)
    if behind > 0:
        return Why(
            stage, f"the {reader} has not read it yet: {counted(behind, 'record')} of {topic} behind", moves=look
        )
    words = f"the {reader} has read {topic} so far and took nothing from it"
    return Why(stage, words, moves=f"look for it in the topic dlq, and at the {reader}'s log")
