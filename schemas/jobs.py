"""The job as people read it: one vocabulary of statuses, the same in the API, the events and the database."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue


class Status(StrEnum):
    """Where a job stands. Within a revision it only moves forward; the last five are the end of it."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen in this revision."""
        return self not in (Status.PENDING, Status.PROCESSING)


class OutputStatus(StrEnum):
    """Where one output stands: a job's words, without PARTIAL."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Phase(StrEnum):
    """What an output is waiting for, in one word."""

    QUEUED = "queued"
    GENERATING = "generating"
    RECONCILING = "reconciling"
    STORING = "storing"
    DONE = "done"


class Media(BaseModel):
    """One output of a job. The entry is there from the first moment; what is not known yet is null."""

    model_config = ConfigDict(frozen=True)

    index: int = Field(description="Which output this is, counted from 0.")
    status: OutputStatus = Field(description="Where it stands.")
    phase: Phase = Field(
        description="What it is waiting for: queued, generating, storing or done; reconciling while it is not known "
        "whether the provider took its call."
    )
    cause: str | None = Field(None, description="In words, why it is not further, when that is known.")
    media_url: str | None = Field(None, description="Where the provider made it. Expires; keep the stored copy.")
    s3_key: str | None = Field(None, description="Its key in your bucket, once stored.")
    presigned_media_url: str | None = Field(None, description="A link to the stored copy that opens in a browser.")
    url_expires_at: AwareDatetime | None = Field(None, description="When the presigned link stops working.")
    content_url: str | None = Field(
        None, description="Our own path to the stored copy: leads to a fresh link at any time."
    )
    removed: bool = Field(False, description="True once what was made for it is removed, on request or by age.")
    content_type: str | None = Field(None, description="Media type, read from the bytes.")
    size: int | None = Field(None, description="Bytes.")
    sha256: str | None = Field(None, description="SHA-256 of the bytes, in hex.")
    width: int | None = Field(None, description="Pixels.")
    height: int | None = Field(None, description="Pixels.")
    duration_ms: int | None = Field(None, description="Length of a sound or video, in milliseconds.")
    error_code: str | None = Field(None, description="How it failed, in one word of docs/status.md.")
    error_message: str | None = Field(None, description="How it failed, for people.")
    attempts: int = Field(0, description="Provider calls and uploads made for it so far.")
    submitted_at: AwareDatetime | None = Field(None, description="When a provider accepted its call.")
    generated_at: AwareDatetime | None = Field(None, description="When it was made.")
    stored_at: AwareDatetime | None = Field(None, description="When it was in the bucket.")


class Job(BaseModel):
    """A job and its outputs. `media` always has `num_outputs` entries."""

    model_config = ConfigDict(frozen=True)

    job_id: UUID = Field(description="The job's name, as `/generate` gave it.")
    status: Status = Field(description="Where it stands.")
    done: bool = Field(description="True once the status is final: stop polling.")
    revision: int = Field(1, description="1, and one more for each retry that was asked for.")
    model: str = Field(description="The model that was asked for.")
    prompt: str = Field(description="What to make. Empty once the job's data were removed.")
    num_outputs: int = Field(description="How many outputs were asked for: 1 to 10.")
    seed: int | None = Field(description="For repeatable results, when one was given.")
    output_format: str | None = Field(description="The file format, when one was asked for.")
    input: dict[str, JsonValue] = Field(
        default_factory=dict, description="What else the model was told. Empty once the job's data were removed."
    )
    metadata: dict[str, str] = Field(default_factory=dict, description="The submitter's own words.")
    max_attempts: int | None = Field(None, description="Tries of each provider call, when the request says how many.")
    media: tuple[Media, ...] = Field(description="Its outputs, all of them from the first moment.")
    error_message: str | None = Field(None, description="The first output's error, when any output failed.")
    retry_count: int = Field(0, description="Attempts made after a known failure, over all outputs.")
    cost_units: int = Field(
        0,
        description="What its provider calls count for, all revisions and attempts: each model's cost_units per call. "
        "Counted once a provider has accepted a call.",
    )
    deadline: AwareDatetime | None = Field(None, description="After this nothing more is asked of a provider.")
    created_at: AwareDatetime = Field(description="When it was accepted.")
    updated_at: AwareDatetime = Field(description="When something last became known of it.")
    started_at: AwareDatetime | None = Field(None, description="When a provider first accepted a call for it.")
    completed_at: AwareDatetime | None = Field(None, description="When its last output was over.")
    data_removed_at: AwareDatetime | None = Field(
        None, description="When its media, prompt and input were removed, on request or by age."
    )


def pending_job(  # noqa: PLR0913 - a request's fields, as the request names them
    *,
    job_id: UUID,
    model: str,
    prompt: str,
    num_outputs: int,
    seed: int | None,
    output_format: str | None,
    input: dict[str, JsonValue],  # noqa: A002 - the API's own word
    metadata: dict[str, str],
    deadline: datetime | None,
    created_at: datetime,
    max_attempts: int | None = None,
) -> Job:
    """A job of which only the request is known yet."""
    waiting = tuple(Media(index=n, status=OutputStatus.PENDING, phase=Phase.QUEUED) for n in range(num_outputs))
    return Job(
        job_id=job_id, status=Status.PENDING, done=False, model=model, prompt=prompt, num_outputs=num_outputs,
        seed=seed, output_format=output_format, input=input, metadata=metadata, media=waiting,
        max_attempts=max_attempts, deadline=deadline, created_at=created_at, updated_at=created_at,
    )  # fmt: skip
