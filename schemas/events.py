"""The facts. Each is said once, in the past tense, and never edited once published.

The value of a record holds the whole fact, envelope included, because tools that produce records again
often lose headers. Within a version only optional fields are added; a new meaning is a new class.
"""

import math
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from schemas.identity import event_id_of
from schemas.jobs import OutputStatus, Status

MESSAGE_BYTES = 2_048
URL_CHARACTERS = 8_192


def short(text: Any) -> Any:
    """`text` as a fact may carry it: without what no record or column holds, and cut on a character's edge.

    Anything but text is left unchanged.
    """
    if not isinstance(text, str):
        return text
    return text.replace("\0", "?").encode(errors="replace")[:MESSAGE_BYTES].decode(errors="ignore")


def finite(value: JsonValue) -> JsonValue:
    """`value`, refused when a number anywhere in it is none: JSON has no NaN and no infinity, and jsonb takes none."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("holds a number that is not finite")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            finite(inner)
    return value


Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC))]
"""A point in time that every time zone and database can say."""

Input = Annotated[dict[str, JsonValue], AfterValidator(finite)]
Message = Annotated[str, BeforeValidator(short)]
Index = Annotated[int, Field(ge=0, le=9)]
Generation = Annotated[int, Field(ge=0, le=9)]
"""A call of a plan: as many as outputs at most."""
Revision = Annotated[int, Field(ge=1, le=1_000_000)]
Attempt = Annotated[int, Field(ge=1, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Size = Annotated[int, Field(ge=1, le=2**63 - 1)]
Seed = Annotated[int, Field(ge=-(2**53) + 1, le=2**53 - 1)]
"""What every JSON reader can hold without loss."""


class Event(BaseModel):
    """A fact about one job. Readers may be older than writers, so unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    topic: ClassVar[str]

    event_id: UUID
    v: Literal[1] = 1
    occurred_at: Moment
    job_id: UUID
    tenant: str = Field(min_length=1, max_length=64)
    revision: Revision = 1

    @property
    def identity(self) -> str:
        """What makes this fact this fact within its job. Two records with one identity say the same thing."""
        return f"{self.topic}/{self.revision}/-/final"

    @classmethod
    def say(cls, job_id: UUID, tenant: str, at: datetime, **facts: Any) -> Self:
        """The fact, with an id derived from its identity: the same id each time it is said."""
        draft = cls(event_id=job_id, job_id=job_id, tenant=tenant, occurred_at=at, **facts)
        return draft.model_copy(update={"event_id": event_id_of(job_id, draft.identity)})


class JobRequested(Event):
    """A job was accepted, whole. Said by the gateway; everything that follows can be derived from it."""

    topic: ClassVar[str] = "job.requested"
    type: Literal["job.requested"] = "job.requested"

    model: str = Field(min_length=1, max_length=256)
    prompt: str
    num_outputs: int = Field(ge=1, le=10)
    seed: Seed | None = None
    output_format: str | None = None
    input: Input = Field(default_factory=dict)
    metadata: dict[str, str] = Field(default_factory=dict)
    deadline: Moment | None = None
    max_attempts: int | None = Field(None, ge=1, le=20)
    """Tries of one provider call after known failures; left out, the generator's setting counts."""


class CancelRequested(Event):
    """Stop paying for a job, up to this revision. What is paid for already is stored and served all the same."""

    topic: ClassVar[str] = "cancel.requested"
    type: Literal["cancel.requested"] = "cancel.requested"


class Redo(BaseModel):
    """What a retry does about one output."""

    # `from` is a word of Python, so the field has another name here.

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True, serialize_by_alias=True)

    index: Index
    start: Literal["generate", "store"] = Field(alias="from")


class RetryRequested(Event):
    """A new revision of a job, and exactly what it does again. Generating again costs again."""

    topic: ClassVar[str] = "retry.requested"
    type: Literal["retry.requested"] = "retry.requested"

    outputs: tuple[Redo, ...]


class ProviderCalledBack(Event):
    """A provider called back, and it was surely that provider. A doorbell: what it says is asked for, not believed."""

    topic: ClassVar[str] = "provider.called_back"
    type: Literal["provider.called_back"] = "provider.called_back"

    generation_id: UUID
    attempt: Attempt
    provider: str
    provider_id: str = Field(min_length=1, max_length=128)
    provider_status: str = Field(max_length=64)

    @property
    def identity(self) -> str:
        return f"{self.topic}/{self.generation_id}/{self.attempt}/{self.provider_status}"


class GenerationSubmitted(Event):
    """A provider accepted an attempt: from here on it may cost money, and has an id to ask about."""

    topic: ClassVar[str] = "generation.submitted"
    type: Literal["generation.submitted"] = "generation.submitted"

    generation: Generation
    attempt: Attempt
    provider: str
    provider_id: str
    outputs: tuple[Index, ...]
    cost_units: Count = 0

    @property
    def identity(self) -> str:
        return f"{self.topic}/{self.revision}/{self.generation}/{self.attempt}"


class GenerationFailed(Event):
    """An attempt failed. When `final`, its outputs will never exist in this revision."""

    topic: ClassVar[str] = "generation.failed"
    type: Literal["generation.failed"] = "generation.failed"

    generation: Generation
    attempt: Attempt
    provider: str
    outputs: tuple[Index, ...]
    code: str
    message: Message
    final: bool
    next_try_at: Moment | None = None
    provider_code: str | None = Field(None, max_length=64)
    """The provider's own word for what went wrong, such as E1001."""

    @property
    def identity(self) -> str:
        return f"{self.topic}/{self.revision}/{self.generation}/{'final' if self.final else self.attempt}"


class GenerationDoubted(Event):
    """The answer to an attempt was lost: it may have been accepted, and may be paid for. It is looked for, and when
    it never shows up it is `held` for somebody to decide. `GenerationSubmitted` of the same attempt ends the doubt.
    """

    topic: ClassVar[str] = "generation.doubted"
    type: Literal["generation.doubted"] = "generation.doubted"

    generation: Generation
    attempt: Attempt
    provider: str
    outputs: tuple[Index, ...]
    held: bool
    cause: Message
    until: Moment | None = None
    """When a held one is given up."""

    @property
    def identity(self) -> str:
        stage = "held" if self.held else "looked_for"
        return f"{self.topic}/{self.revision}/{self.generation}/{self.attempt}/{stage}"


class UrlSource(BaseModel):
    """The output lies at a URL that the provider will take down at `expires_at`, when it says so."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["url"] = "url"
    url: str = Field(max_length=URL_CHARACTERS)
    expires_at: Moment | None = None


class StagedSource(BaseModel):
    """The provider answered with the bytes themselves; they wait in the bucket under `key`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["staged"] = "staged"
    key: str
    sha256: str
    size: Size


class MediaGenerated(Event):
    """One output exists, at the provider or in staging. A `renewal` says where to find the same output after its
    first source had expired; nothing was generated for it.
    """

    topic: ClassVar[str] = "media.generated"
    type: Literal["media.generated"] = "media.generated"

    index: Index
    generation: Generation
    attempt: Attempt
    provider: str
    output_format: str | None = None
    source: UrlSource | StagedSource = Field(discriminator="kind")
    renewal: int = Field(0, ge=0, le=1_000)

    @property
    def identity(self) -> str:
        said = f"renewal-{self.renewal}" if self.renewal else "final"
        return f"{self.topic}/{self.revision}/{self.index}/{said}"


class MediaStored(Event):
    """One output is in the bucket. `content_type` was read from the bytes, never from a name or a header."""

    topic: ClassVar[str] = "media.stored"
    type: Literal["media.stored"] = "media.stored"

    index: Index
    attempt: Attempt
    key: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: Size
    content_type: str
    width: Count | None = None
    height: Count | None = None
    duration_ms: Count | None = None

    @property
    def identity(self) -> str:
        return f"{self.topic}/{self.revision}/{self.index}/final"


SOURCE_EXPIRED = "source_expired"
"""The code of an upload that failed because its source was gone. When it is not final, it asks the generator where
the output lies now: `MediaGenerated` with a `renewal` answers, and costs nothing.
"""


class UploadFailed(Event):
    """Storing one output failed. When `final`, it is not tried again in this revision."""

    topic: ClassVar[str] = "upload.failed"
    type: Literal["upload.failed"] = "upload.failed"

    index: Index
    attempt: Attempt
    code: str
    message: Message
    final: bool
    next_try_at: Moment | None = None

    @property
    def identity(self) -> str:
        return f"{self.topic}/{self.revision}/{self.index}/{'final' if self.final else self.attempt}"


JobEnd = Literal[Status.COMPLETED, Status.PARTIAL, Status.FAILED, Status.CANCELLED, Status.EXPIRED]
OutputEnd = Literal[OutputStatus.COMPLETED, OutputStatus.FAILED, OutputStatus.CANCELLED, OutputStatus.EXPIRED]


class Failure(BaseModel):
    """Why something ended: a code from a documented list, and words for people."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    message: Message


class CompletedOutput(BaseModel):
    """How one output of a finished job ended."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    index: Index
    revision: Revision
    status: OutputEnd
    key: str | None = None
    sha256: str | None = None
    size: int | None = None
    content_type: str | None = None
    error: Failure | None = None


class JobCompleted(Event):
    """A revision of a job is over. The public fact: keys, sums and codes, never prompt or input."""

    topic: ClassVar[str] = "job.completed"
    type: Literal["job.completed"] = "job.completed"

    status: JobEnd
    model: str
    num_outputs: Count
    stored: Count
    failed: Count
    outputs: tuple[CompletedOutput, ...]
    error: Failure | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    requested_at: Moment
    completed_at: Moment


class DataRemoved(Event):
    """The media, the prompt and the input of a job are gone, in every revision up to this one: by request, or because
    they were old enough. What the log holds of them stays until its records are removed.
    """

    topic: ClassVar[str] = "data.removed"
    type: Literal["data.removed"] = "data.removed"

    reason: Literal["request", "age"]


FACTS: dict[str, type[Event]] = {
    fact.topic: fact
    for fact in (
        JobRequested,
        CancelRequested,
        RetryRequested,
        ProviderCalledBack,
        GenerationSubmitted,
        GenerationFailed,
        GenerationDoubted,
        MediaGenerated,
        MediaStored,
        UploadFailed,
        JobCompleted,
        DataRemoved,
    )
}
"""Every fact of today, by the topic that carries it."""
