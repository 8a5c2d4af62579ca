"""Pure: what the facts say about a job. Any order, any repeats: the same facts, the same job.

Each fact writes its own columns. Among records that say the same fact the lowest place in the log wins.
A count only grows, and a status is worked out from the columns, never decided on its own.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ledger_service.outputs import Output, Trouble, words_of
from schemas.events import (
    DataRemoved,
    Event,
    GenerationDoubted,
    GenerationFailed,
    GenerationSubmitted,
    JobRequested,
    MediaGenerated,
    MediaStored,
    RetryRequested,
    UploadFailed,
    UrlSource,
)  # fmt: skip
from schemas.jobs import OutputStatus, Status
from schemas.wire import Position


@dataclass(slots=True)
class Job:
    """A job, as far as facts were heard. `requested_at` is missing while others were heard first.

    `request` is there only when it was heard since the job was loaded: its long parts are written once.
    `removal_said` is the last revision whose removal was said by anybody, perhaps not heard yet by us.
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
    data_removed_at: datetime | None = None
    removed_revision: int = 0
    removed_offset: int = 0
    removal_said: int = 0
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
        case GenerationSubmitted() | GenerationDoubted() | GenerationFailed():
            for index in event.outputs:
                _called(_output(job, event.revision, index), event, position)
        case MediaGenerated():
            _generated(_output(job, event.revision, event.index), event, position.offset)
        case MediaStored():
            _stored(_output(job, event.revision, event.index), event, position.offset)
        case UploadFailed():
            output = _output(job, event.revision, event.index)
            output.upload_attempts = max(output.upload_attempts, event.attempt)
            _failed(output, event, position, Trouble.NOT_STORED)
        case DataRemoved():
            _removed(job, event, position.offset)
    if job.removed_revision:
        _forget(job)
    return job


def _retried(job: Job, event: RetryRequested) -> None:
    """Only this makes another revision: any other fact of it, heard first, must not let it look complete.

    Of two that ask for one revision the first in the log counts, and what the other names is not waited for: nobody
    plans it. They lie in one partition, so the first is heard first.
    """
    if event.revision <= job.revision:
        return
    job.revision = event.revision
    for redo in event.outputs:
        _output(job, event.revision, redo.index)


def _requested(job: Job, event: JobRequested, offset: int) -> None:
    if job.requested_offset is not None and job.requested_offset <= offset:
        return
    job.request, job.requested_at, job.requested_offset = event, event.occurred_at, offset
    job.tenant = event.tenant  # whoever asked owns it, whatever another fact says
    job.model, job.num_outputs, job.metadata = event.model, event.num_outputs, event.metadata
    for index in range(event.num_outputs):
        _output(job, event.revision, index)


def _called(output: Output, event: GenerationSubmitted | GenerationDoubted | GenerationFailed, place: Position) -> None:
    """What became of one try of the call that makes `output`."""
    _attempted(output, event.generation, event.attempt)
    match event:
        case GenerationSubmitted():
            output.submitted_attempt = max(output.submitted_attempt, event.attempt)
            output.submitted_at = min(output.submitted_at or event.occurred_at, event.occurred_at)
        case GenerationDoubted():
            trouble = Trouble.HELD if event.held else Trouble.LOOKED_FOR
            output.meet(trouble, event.attempt, words_of(event), place.offset)
        case GenerationFailed():
            _failed(output, event, place, Trouble.FAILED)


def _attempted(output: Output, generation: int, attempt: int) -> None:
    output.generation = generation if output.generation is None else min(output.generation, generation)
    output.generation_attempts = max(output.generation_attempts, attempt)


def _generated(output: Output, event: MediaGenerated, offset: int) -> None:
    """The first record says when it was made, the latest renewal where it is."""
    _attempted(output, event.generation, event.attempt)
    first = output.generated_offset
    said_at = output.renewal_offset if output.renewal else first
    if said_at is None or (event.renewal, -offset) > (output.renewal, -said_at):
        output.renewal, output.renewal_offset = event.renewal, offset if event.renewal else None
        output.media_url = event.source.url if isinstance(event.source, UrlSource) else None
    if first is None or offset < first:
        output.generated_at, output.generated_offset = event.occurred_at, offset


def _stored(output: Output, event: MediaStored, offset: int) -> None:
    output.upload_attempts = max(output.upload_attempts, event.attempt)
    if output.stored_offset is None or offset < output.stored_offset:
        output.stored_at, output.stored_offset = event.occurred_at, offset
        output.s3_key, output.sha256, output.size = event.key, event.sha256, event.size
        output.content_type, output.duration_ms = event.content_type, event.duration_ms
        output.width, output.height = event.width, event.height


def _failed(output: Output, event: GenerationFailed | UploadFailed, position: Position, trouble: Trouble) -> None:
    if not event.final:
        output.meet(trouble, event.attempt, f"{event.code}: {event.message}", position.offset)
        return
    if output.failed_topic is None or (position.topic, position.offset) < (output.failed_topic, output.failed_offset):
        output.error_code, output.error_message, output.failed_at = event.code, event.message, event.occurred_at
        output.failed_topic, output.failed_offset = position.topic, position.offset


def _removed(job: Job, event: DataRemoved, offset: int) -> None:
    """The removal that reaches furthest says when; of those that reach as far, the first in the log."""
    job.removal_said = max(job.removal_said, event.revision)
    if (event.revision, -offset) > (job.removed_revision, -job.removed_offset):
        job.data_removed_at = event.occurred_at
        job.removed_revision, job.removed_offset = event.revision, offset


def _forget(job: Job) -> None:
    """Drop what was removed, whether it was heard before the removal or after it."""
    if job.request is not None:
        job.request = job.request.model_copy(update={"prompt": "", "input": {}})
    for output in job.outputs.values():
        if output.revision <= job.removed_revision:
            output.media_url = None


def _output(job: Job, revision: int, index: int) -> Output:
    found = job.outputs.get((revision, index))
    if found is None:
        found = job.outputs[revision, index] = Output(revision, index)
    return found
