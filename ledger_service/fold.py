"""Pure: what the facts say about a job. Any order, any repeats: the same facts, the same job.

Each fact writes its own columns. Among records that say the same fact the lowest place in the log wins.
A count only grows, and a status is worked out from the columns, never decided on its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from schemas.events import (
    Event,
    GenerationFailed,
    GenerationSubmitted,
    JobRequested,
    MediaGenerated,
    MediaStored,
    RetryRequested,
    UploadFailed,
    UrlSource,
)  # fmt: skip
from schemas.jobs import OutputStatus, Phase, Status
from schemas.wire import Position

ENDS = {"cancelled": OutputStatus.CANCELLED, "deadline_exceeded": OutputStatus.EXPIRED}
"""Codes of final failures that nobody is to blame for; every other one is FAILED."""


@dataclass(slots=True)
class Output:
    """One output of one revision, as far as facts were heard: the columns of its row."""

    revision: int
    index: int
    generation: int | None = None
    generation_attempts: int = 0
    upload_attempts: int = 0
    submitted_at: datetime | None = None
    media_url: str | None = None
    generated_at: datetime | None = None
    generated_offset: int | None = None
    s3_key: str | None = None
    sha256: str | None = None
    size: int | None = None
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    stored_at: datetime | None = None
    stored_offset: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    failed_at: datetime | None = None
    failed_topic: str | None = None
    failed_offset: int | None = None

    @property
    def status(self) -> OutputStatus:
        """Where the output stands."""
        if self.s3_key is not None:
            return OutputStatus.COMPLETED
        if self.error_code is not None:
            return ENDS.get(self.error_code, OutputStatus.FAILED)
        waiting = self.generation_attempts == 0 and self.generated_at is None
        return OutputStatus.PENDING if waiting else OutputStatus.PROCESSING

    @property
    def phase(self) -> Phase:
        """What it is waiting for."""
        if self.over:
            return Phase.DONE
        if self.generated_at is not None:
            return Phase.STORING
        return Phase.GENERATING if self.generation_attempts else Phase.QUEUED

    @property
    def over(self) -> bool:
        """Whether its final fact was heard."""
        return self.s3_key is not None or self.error_code is not None

    @property
    def over_at(self) -> datetime | None:
        """When that fact was said."""
        return self.stored_at if self.s3_key is not None else self.failed_at


@dataclass(slots=True)
class Job:
    """A job, as far as facts were heard. `requested_at` is missing while others were heard first.

    `request` is there only when it was heard since the job was loaded: its long parts are written once.
    """

    job_id: UUID
    tenant: str
    updated_at: datetime
    revision: int = 1
    announced: int = 0
    model: str | None = None
    num_outputs: int | None = None
    metadata: dict[str, str] | None = None
    requested_at: datetime | None = None
    requested_offset: int | None = None
    request: JobRequested | None = None
    outputs: dict[tuple[int, int], Output] = field(default_factory=dict)

    @property
    def media(self) -> list[Output]:
        """The outputs that were asked for, each in its latest revision."""
        latest: dict[int, Output] = {}
        for output in self.outputs.values():
            if output.index not in latest or latest[output.index].revision < output.revision:
                latest[output.index] = output
        return [latest[index] for index in sorted(latest) if index < (self.num_outputs or 0)]

    @property
    def retry_count(self) -> int:
        """Attempts after the first, over all provider calls and uploads."""
        calls: dict[tuple[int, int | None], int] = {}
        for output in self.outputs.values():
            call = (output.revision, output.generation)
            calls[call] = max(calls.get(call, 0), output.generation_attempts)
        tries = (*calls.values(), *(output.upload_attempts for output in self.outputs.values()))
        return sum(number - 1 for number in tries if number > 1)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a job's columns add up to."""

    status: Status
    started_at: datetime | None
    completed_at: datetime | None
    error_code: str | None
    error_message: str | None


def standing(job: Job) -> Standing:
    """Where `job` stands: a pure function of what was heard."""
    media = job.media
    status = _status(job, media)
    failed = next((output for output in media if output.over and output.s3_key is None), None)
    return Standing(
        status,
        started_at=min((output.submitted_at for output in media if output.submitted_at), default=None),
        completed_at=max(output.over_at for output in media if output.over_at) if status.terminal else None,
        error_code=failed.error_code if failed else None,
        error_message=failed.error_message if failed else None,
    )


def _status(job: Job, media: list[Output]) -> Status:
    if job.requested_at is None:
        return Status.PENDING
    seen = [output.status for output in media]
    if all(output.over for output in media):
        return _ending(seen)
    return Status.PENDING if set(seen) == {OutputStatus.PENDING} else Status.PROCESSING


def _ending(seen: list[OutputStatus]) -> Status:
    stored = seen.count(OutputStatus.COMPLETED)
    if stored:
        return Status.COMPLETED if stored == len(seen) else Status.PARTIAL
    if OutputStatus.FAILED in seen:
        return Status.FAILED
    return Status.EXPIRED if OutputStatus.EXPIRED in seen else Status.CANCELLED


def fold(job: Job, event: Event, position: Position) -> Job:
    """`job`, now that it knows `event`. Once or often, early or late: it ends the same. Changes `job` in place."""
    job.updated_at = max(job.updated_at, event.occurred_at)
    match event:
        case JobRequested():
            _requested(job, event, position.offset)
        case RetryRequested():
            _retried(job, event)
        case GenerationSubmitted():
            for output in _outputs(job, event):
                _attempted(output, event.generation, event.attempt)
                output.submitted_at = min(output.submitted_at or event.occurred_at, event.occurred_at)
        case GenerationFailed():
            for output in _outputs(job, event):
                _attempted(output, event.generation, event.attempt)
                _failed(output, event, position)
        case MediaGenerated():
            _generated(_output(job, event.revision, event.index), event, position.offset)
        case MediaStored():
            _stored(_output(job, event.revision, event.index), event, position.offset)
        case UploadFailed():
            output = _output(job, event.revision, event.index)
            output.upload_attempts = max(output.upload_attempts, event.attempt)
            _failed(output, event, position)
    return job


def _retried(job: Job, event: RetryRequested) -> None:
    """Only this makes another revision: any other fact of it, heard first, must not let it look complete."""
    job.revision = max(job.revision, event.revision)
    for redo in event.outputs:
        _output(job, event.revision, redo.index)


def _requested(job: Job, event: JobRequested, offset: int) -> None:
    if job.requested_offset is not None and job.requested_offset <= offset:
        return
    job.request, job.requested_at, job.requested_offset = event, event.occurred_at, offset
    job.model, job.num_outputs, job.metadata = event.model, event.num_outputs, event.metadata
    for index in range(event.num_outputs):
        _output(job, event.revision, index)


def _attempted(output: Output, generation: int, attempt: int) -> None:
    output.generation = generation if output.generation is None else min(output.generation, generation)
    output.generation_attempts = max(output.generation_attempts, attempt)


def _generated(output: Output, event: MediaGenerated, offset: int) -> None:
    _attempted(output, event.generation, event.attempt)
    if output.generated_offset is None or offset < output.generated_offset:
        output.generated_at, output.generated_offset = event.occurred_at, offset
        output.media_url = event.source.url if isinstance(event.source, UrlSource) else None


def _stored(output: Output, event: MediaStored, offset: int) -> None:
    output.upload_attempts = max(output.upload_attempts, event.attempt)
    if output.stored_offset is None or offset < output.stored_offset:
        output.stored_at, output.stored_offset = event.occurred_at, offset
        output.s3_key, output.sha256, output.size = event.key, event.sha256, event.size
        output.content_type, output.duration_ms = event.content_type, event.duration_ms
        output.width, output.height = event.width, event.height


def _failed(output: Output, event: GenerationFailed | UploadFailed, position: Position) -> None:
    if not event.final:
        return
    if output.failed_topic is None or (position.topic, position.offset) < (output.failed_topic, output.failed_offset):
        output.error_code, output.error_message, output.failed_at = event.code, event.message, event.occurred_at
        output.failed_topic, output.failed_offset = position.topic, position.offset


def _outputs(job: Job, event: GenerationSubmitted | GenerationFailed) -> Iterator[Output]:
    return (_output(job, event.revision, index) for index in event.outputs)


def _output(job: Job, revision: int, index: int) -> Output:
    found = job.outputs.get((revision, index))
    if found is None:
        found = job.outputs[revision, index] = Output(revision, index)
    return found
