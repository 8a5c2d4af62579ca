"""The projections. Nothing in them is decided here: drop them, read the log again, and they come back."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Enum,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Text,
    text,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from ledger_service.outputs import Trouble
from schemas.jobs import OutputStatus, Phase, Status
from stage.tables import add_stage_tables

SCHEMA = "ledger"
VIEWS = "ledger_v1"
"""What others may read, under a version of its own: tables may change, a published view does not."""

TO_REMOVE = "completed_at IS NOT NULL AND removal_said < revision"
"""SQL: jobs that are over and whose removal nobody has said. In the words of an index, which serves nothing else."""

metadata = MetaData(schema=SCHEMA)
add_stage_tables(metadata)

job_status = Enum(Status, name="job_status", metadata=metadata)
output_status = Enum(OutputStatus, name="output_status", metadata=metadata)
output_phase = Enum(
    Phase, name="output_phase", metadata=metadata, values_callable=lambda kinds: [k.value for k in kinds]
)
output_trouble = Enum(
    Trouble, name="output_trouble", metadata=metadata, values_callable=lambda kinds: [k.value for k in kinds]
)


class Kind(StrEnum):
    """What kind of work an attempt was."""

    GENERATION = "GENERATION"
    UPLOAD = "UPLOAD"


class Result(StrEnum):
    """How an attempt ended, as far as is known. In the order in which a later one replaces an earlier."""

    RUNNING = "RUNNING"
    FAILED = "FAILED"
    SUCCEEDED = "SUCCEEDED"


def moment(*, nullable: bool = True) -> Any:
    """A column that holds a point in time."""
    return Field(default=None, sa_type=DateTime(timezone=True), nullable=nullable)


def count(kind: Any = Integer) -> Any:
    """A column that counts from 0: rows that were written before it came have heard of nothing."""
    return Field(sa_type=kind, sa_column_kwargs={"server_default": "0"})


class Base(SQLModel, registry=registry(metadata=metadata)):
    """Tables of this service alone."""

    metadata = metadata


class JobRow(Base, table=True):
    """A job. The request's columns are null until its own fact was read: others may be heard first."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("(model IS NULL) = (requested_at IS NULL)", name="request_is_whole"),
        CheckConstraint("num_outputs BETWEEN 1 AND 10", name="outputs_in_range"),
        CheckConstraint("(status IN ('PENDING', 'PROCESSING')) = (completed_at IS NULL)", name="completed_when_over"),
        CheckConstraint("requested_at IS NOT NULL OR completed_at IS NULL", name="nothing_completes_unasked"),
        CheckConstraint("announced BETWEEN 0 AND revision", name="announced_what_is"),
        Index("jobs_of_tenant", "tenant", "requested_at", "job_id"),
        Index("jobs_by_status", "tenant", "status", "requested_at", "job_id"),
        Index("jobs_by_model", "tenant", "model", "requested_at", "job_id"),
        Index("jobs_by_metadata", "metadata", postgresql_using="gin", postgresql_ops={"metadata": "jsonb_path_ops"},
              postgresql_where=text("metadata <> '{}'")),
        Index(
            "jobs_to_remove",
            "tenant",
            "completed_at",
            postgresql_where=text(TO_REMOVE),
        ),
    )  # fmt: skip

    job_id: UUID = Field(primary_key=True)
    tenant: str = Field(sa_type=Text)
    revision: int
    status: Status = Field(sa_column=Column(job_status, nullable=False))
    model: str | None = Field(sa_type=Text)
    prompt: str | None = Field(sa_type=Text)
    num_outputs: int | None
    seed: int | None = Field(sa_type=BigInteger)
    output_format: str | None = Field(sa_type=Text)
    input: dict[str, Any] | None = Field(sa_column=Column(JSONB))
    metadata_: dict[str, str] | None = Field(sa_column=Column("metadata", JSONB))
    deadline: datetime | None = moment()
    requested_at: datetime | None = moment()
    requested_offset: int | None = Field(sa_type=BigInteger)
    started_at: datetime | None = moment()
    completed_at: datetime | None = moment()
    updated_at: datetime = moment(nullable=False)
    error_code: str | None = Field(sa_type=Text)
    error_message: str | None = Field(sa_type=Text)
    retry_count: int
    announced: int
    max_attempts: int | None = Field(sa_type=SmallInteger)
    data_removed_at: datetime | None = moment()
    removed_revision: int = count()
    removed_offset: int = count(BigInteger)
    removal_said: int = count()


class OutputRow(Base, table=True):
    """One output of one revision. Each fact writes its own columns, so their order does not matter."""

    __tablename__ = "outputs"
    __table_args__ = (
        CheckConstraint("index BETWEEN 0 AND 9", name="index_in_range"),
        CheckConstraint("(status = 'COMPLETED') = (s3_key IS NOT NULL)", name="completed_is_stored"),
        CheckConstraint("(s3_key IS NULL) = (sha256 IS NULL)", name="stored_is_whole"),
        CheckConstraint(
            "status NOT IN ('FAILED', 'CANCELLED', 'EXPIRED') OR error_code IS NOT NULL", name="failed_says_why"
        ),
    )

    job_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    index: int = Field(primary_key=True, sa_type=SmallInteger)
    status: OutputStatus = Field(sa_column=Column(output_status, nullable=False))
    phase: Phase = Field(sa_column=Column(output_phase, nullable=False))
    generation: int | None
    generation_attempts: int
    upload_attempts: int
    submitted_at: datetime | None = moment()
    media_url: str | None = Field(sa_type=Text)
    generated_at: datetime | None = moment()
    generated_offset: int | None = Field(sa_type=BigInteger)
    s3_key: str | None = Field(sa_type=Text)
    sha256: str | None = Field(sa_type=Text)
    size: int | None = Field(sa_type=BigInteger)
    content_type: str | None = Field(sa_type=Text)
    width: int | None
    height: int | None
    duration_ms: int | None
    stored_at: datetime | None = moment()
    stored_offset: int | None = Field(sa_type=BigInteger)
    error_code: str | None = Field(sa_type=Text)
    error_message: str | None = Field(sa_type=Text)
    failed_at: datetime | None = moment()
    failed_topic: str | None = Field(sa_type=Text)
    failed_offset: int | None = Field(sa_type=BigInteger)
    cause: str | None = Field(sa_type=Text)
    submitted_attempt: int = count()
    renewal: int = count(SmallInteger)
    renewal_offset: int | None = Field(sa_type=BigInteger)
    trouble: Trouble | None = Field(sa_column=Column(output_trouble))
    trouble_attempt: int = count()
    trouble_words: str | None = Field(sa_type=Text)
    trouble_offset: int = count(BigInteger)


class AttemptRow(Base, table=True):
    """One try at one piece of work: a provider call (`subject` is its number) or an upload (the output's index)."""

    __tablename__ = "attempts"
    __table_args__ = (CheckConstraint("attempt >= 1", name="counted_from_one"),)

    job_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    kind: Kind = Field(sa_column=Column(Enum(Kind, name="attempt_kind", metadata=metadata), primary_key=True))
    subject: int = Field(primary_key=True, sa_type=SmallInteger)
    attempt: int = Field(primary_key=True)
    result: Result = Field(sa_column=Column(Enum(Result, name="attempt_result", metadata=metadata), nullable=False))
    provider: str | None = Field(sa_type=Text)
    provider_id: str | None = Field(sa_type=Text)
    cost_units: int | None
    code: str | None = Field(sa_type=Text)
    message: str | None = Field(sa_type=Text)
    started_at: datetime | None = moment()
    ended_at: datetime | None = moment()
    next_try_at: datetime | None = moment()


class FactRow(Base, table=True):
    """That a fact was heard, and where it stands in the log. Its words stay there."""

    __tablename__ = "facts"
    __table_args__ = (Index("facts_of_job", "job_id"),)

    topic: str = Field(primary_key=True, sa_type=Text)
    partition: int = Field(primary_key=True, sa_type=SmallInteger)
    offset: int = Field(primary_key=True, sa_type=BigInteger)
    job_id: UUID
    event_id: UUID
    occurred_at: datetime = moment(nullable=False)
