"""Pure: what is told to the world when a revision of a job is over."""

from ledger_service.fold import Job, Standing
from ledger_service.outputs import Output
from schemas.events import CompletedOutput, Failure, JobCompleted
from schemas.jobs import OutputStatus, Status


def announcement(job: Job, now: Standing) -> JobCompleted | None:
    """The fact that `job` is over, or None when it is not or has been said.

    The same outcome gives the same fact to the byte: everything in it follows from the request and the outputs' final
    facts, whose order does not matter, and its time is the last output's, never the clock's.
    """
    if not now.status.terminal or job.announced >= job.revision or now.completed_at is None:
        return None
    media = job.media
    stored = sum(output.s3_key is not None for output in media)
    return JobCompleted.say(
        job.job_id, job.tenant, now.completed_at, revision=job.revision, status=now.status, model=job.model,
        num_outputs=len(media), stored=stored, failed=len(media) - stored, outputs=tuple(map(_output, media)),
        error=_failure(now.error_code, now.error_message) if now.status is not Status.COMPLETED else None,
        metadata=job.metadata or {}, requested_at=job.requested_at,
        completed_at=now.completed_at,
    )  # fmt: skip


def _output(output: Output) -> CompletedOutput:
    stored, status = output.s3_key is not None, output.status
    assert status is not OutputStatus.PENDING and status is not OutputStatus.PROCESSING  # noqa: S101, PT018 - all are over
    return CompletedOutput(
        index=output.index, revision=output.revision, status=status, key=output.s3_key, sha256=output.sha256,
        size=output.size, content_type=output.content_type,
        error=None if stored else _failure(output.error_code, output.error_message),
    )  # fmt: skip


def _failure(code: str | None, message: str | None) -> Failure | None:
    return Failure(code=code, message=message or code) if code else None
