"""Why each output of a job is where it is: the service that is furthest with it says so."""

from collections.abc import Iterator
from datetime import datetime

from darkroom.explaining.calls import why_called
from darkroom.explaining.seen import ExplainedOutput, Explanation, Seen, Why, counted, moment, on_its_way, unread
from darkroom.explaining.uploads import why_uploading
from generator_service.explain import PlannedCall
from ledger_service.explain import KnownOutput
from schemas.events import GenerationFailed, JobRequested, MediaGenerated, MediaStored, RetryRequested, UploadFailed
from schemas.jobs import OutputStatus, Phase
from uploader_service.explain import KnownUpload


def explain(seen: Seen, at: datetime) -> Explanation:
    """Why the job is where it is, by what was seen of it. Same inputs, same words."""
    outputs = [_explained(seen, index, at) for index in _indexes(seen)]
    known = bool(outputs) or bool(seen.ledger and seen.ledger.job)
    return Explanation(known, _summary(seen) if known else _unknown(seen), outputs)


def _indexes(seen: Seen) -> list[int]:
    """The outputs that were asked for, or else those that anybody knows of."""
    job = seen.ledger.job if seen.ledger else None
    if job is not None and job.num_outputs is not None:
        return list(range(job.num_outputs))
    found = {each.index for each in seen.ledger.outputs} if seen.ledger else set()
    found |= {index for call in seen.generator.calls for index in call.outputs} if seen.generator else set()
    return sorted(found | ({each.index for each in seen.uploader.uploads} if seen.uploader else set()))


def _explained(seen: Seen, index: int, at: datetime) -> ExplainedOutput:
    output = next((each for each in seen.ledger.outputs if each.index == index), None) if seen.ledger else None
    calls = [call for call in seen.generator.calls if index in call.outputs] if seen.generator else []
    uploads = [each for each in seen.uploader.uploads if each.index == index] if seen.uploader else []
    revisions = [each.revision for each in calls] + [each.revision for each in uploads]
    revision = max([output.revision if output else 1, *revisions])
    output = output if output and output.revision == revision else None
    why = _why(
        seen,
        output,
        next((call for call in calls if call.revision == revision), None),
        next((each for each in uploads if each.revision == revision), None),
        revision,
        at,
    )
    return ExplainedOutput(index, revision, output.status if output else None, why)


def _why(
    seen: Seen, output: KnownOutput | None, call: PlannedCall | None, upload: KnownUpload | None, revision: int,
    at: datetime,
) -> Why:  # fmt: skip
    if output is not None and output.phase == Phase.DONE.value:
        return _over(output)
    if upload is not None and seen.uploader is not None:
        if upload.due_at is not None:
            return why_uploading(upload, at)
        return _not_in_the_ledger(seen, upload)
    if call is not None and seen.generator is not None:
        return why_called(call, seen.generator, at) if call.due_at is not None else _called(seen, call)
    if seen.generator is None:
        return _as_heard(output)
    return _unplanned(seen, revision)


def _over(output: KnownOutput) -> Why:
    if output.status == OutputStatus.COMPLETED.value:
        return Why(Phase.DONE.value, "it was stored", output.attempts)
    error = f"{output.error_code}: {output.error_message}"
    return Why(
        Phase.DONE.value, f"it ended as {output.status}", output.attempts, error,
        moves="only a retry of the job; docs/status.md says what the code means and what can be paid again",
    )  # fmt: skip


def _not_in_the_ledger(seen: Seen, upload: KnownUpload) -> Why:
    assert seen.uploader is not None  # noqa: S101 - it knows the upload
    topic = MediaStored.topic if upload.state == "STORED" else UploadFailed.topic
    ledger = seen.ledger.progress if seen.ledger else None
    why = on_its_way(Phase.STORING.value, ("uploader", seen.uploader.progress), "ledger", ledger, topic, seen.ends)
    done = "it was stored" if upload.state == "STORED" else f"storing it has failed for good ({upload.last_error})"
    return _after(done, why, upload.attempt, upload.last_error)


def _called(seen: Seen, call: PlannedCall) -> Why:
    """What a call that is over has come to, where nobody behind it knows so."""
    assert seen.generator is not None  # noqa: S101 - it knows the call
    speaker = ("generator", seen.generator.progress)
    if call.state == "SUCCEEDED":
        uploader = seen.uploader.progress if seen.uploader else None
        why = on_its_way(Phase.STORING.value, speaker, "uploader", uploader, MediaGenerated.topic, seen.ends)
        return _after("it was generated", why, call.attempt, None)
    ledger = seen.ledger.progress if seen.ledger else None
    why = on_its_way(Phase.GENERATING.value, speaker, "ledger", ledger, GenerationFailed.topic, seen.ends)
    return _after(f"generating it has failed for good ({call.last_error})", why, call.attempt, call.last_error)


def _after(done: str, why: Why, attempt: int, error: str | None) -> Why:
    return Why(why.stage, f"{done}; {why.words}", attempt, error, moves=why.moves)


def _as_heard(output: KnownOutput | None) -> Why:
    """Without the generator's tables: what the ledger has heard."""
    if output is None:
        return Why(Phase.QUEUED.value, "nothing was heard of it, and the generator's tables could not be seen")
    heard = "the generator's tables could not be seen; the ledger has it as " + output.phase
    return Why(output.phase, heard, output.attempts, output.cause)


def _unplanned(seen: Seen, revision: int) -> Why:
    """Nobody works on it: whoever has to has not read so far."""
    assert seen.generator is not None  # noqa: S101 - looked at right before
    ends = seen.ends or {}
    if revision in seen.generator.early_retries:
        return Why(Phase.QUEUED.value, "the retry waits until the generator has read the job's own request")
    if revision in seen.generator.planned and seen.uploader is not None:  # a retry that only stores has no calls
        end = ends.get(RetryRequested.topic)
        return unread(Phase.STORING.value, "uploader", seen.uploader.progress, RetryRequested.topic, end)
    if revision in seen.generator.planned:
        return Why(Phase.STORING.value, "to be stored again; what the uploader makes of it could not be seen")
    topic = JobRequested.topic if revision == 1 else RetryRequested.topic
    job = seen.ledger.job if seen.ledger else None
    known = job.requested_offset if job and revision == 1 else None
    end = known + 1 if known is not None else ends.get(topic)
    return unread(Phase.QUEUED.value, "generator", seen.generator.progress, topic, end)


def _summary(seen: Seen) -> str:
    job = seen.ledger.job if seen.ledger else None
    if job is None:
        return f"job {seen.job_id}: the ledger has not heard of it, or could not be seen"
    asked = (
        f"{counted(job.num_outputs, 'output')} of {job.model}" if job.num_outputs else "its request was not heard yet"
    )
    when = f", requested {moment(job.requested_at)}" if job.requested_at else ""
    return f"job {seen.job_id} of tenant {job.tenant}: {job.status}, revision {job.revision}, {asked}{when}"


def _unknown(seen: Seen) -> str:
    behind = list(_behind(seen))
    words = f"nothing that could be seen knows job {seen.job_id}"
    return f"{words}. It may still be among what was not read yet: {', '.join(behind)}" if behind else words


def _behind(seen: Seen) -> Iterator[str]:
    end = (seen.ends or {}).get(JobRequested.topic)
    for name, sees in (("ledger", seen.ledger), ("generator", seen.generator)):
        if sees is not None and end is not None:
            behind = end - sees.progress.following.get(JobRequested.topic, 0)
            if behind > 0:
                yield f"{counted(behind, 'record')} by the {name}"
