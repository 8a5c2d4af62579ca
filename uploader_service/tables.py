"""The uploader's own tables: one row per output and revision that has to get into the bucket, and what has to go."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Enum,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from stage.tables import add_stage_tables

SCHEMA = "uploader"
metadata = MetaData(schema=SCHEMA)
add_stage_tables(metadata)


class State(StrEnum):
    """Where an upload stands: the drawing is in `decide`."""

    WAITING = "WAITING"
    PENDING = "PENDING"
    ASKED = "ASKED"
    SPOOLED = "SPOOLED"
    STORED = "STORED"
    FAILED = "FAILED"


class Base(SQLModel, registry=registry(metadata=metadata)):
    """Tables of this service alone."""

    metadata = metadata


class UploadRow(Base, table=True):
    """One output on its way into the bucket."""

    __tablename__ = "uploads"
    __table_args__ = (
        UniqueConstraint("job_id", "revision", "index"),
        CheckConstraint("attempt >= 0 AND fence >= 0", name="counts_upwards"),
        CheckConstraint("(state IN ('STORED', 'FAILED')) = (due_at IS NULL)", name="due_until_over"),
        CheckConstraint("(spooled_by IS NULL) = (spool_file IS NULL)", name="spool_file_has_an_owner"),
        Index("uploads_due", "tenant", "due_at", postgresql_where="due_at IS NOT NULL"),
        Index("uploads_to_fetch", "tenant", "fetch_by", "due_at",
              postgresql_where="due_at IS NOT NULL AND spooled_by IS NULL"),
        Index("uploads_spooled", "spooled_by", "tenant", "due_at", postgresql_where="spooled_by IS NOT NULL"),
    )  # fmt: skip

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    job_id: UUID
    revision: int
    index: int
    tenant: str = Field(sa_type=Text)
    provider: str = Field(sa_column=Column(Text, nullable=False, server_default=""))
    output_format: str | None = Field(sa_type=Text)
    source: dict[str, Any] | None = Field(sa_column=Column(JSONB, nullable=False))  # JSON's null where there is none
    state: State = Field(sa_column=Column(Enum(State, name="upload_state", metadata=metadata), nullable=False))
    since: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False, server_default=func.now()))
    attempt: int
    fetch_attempts: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    store_attempts: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    fence: int = Field(sa_type=BigInteger)
    owner: str | None = Field(sa_type=Text)
    due_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    fetch_by: datetime | None = Field(sa_type=DateTime(timezone=True))
    warned: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=false()))
    asked: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=false()))
    media: dict[str, Any] | None = Field(sa_column=Column(JSONB))
    spool_file: str | None = Field(sa_type=Text)
    spooled_by: str | None = Field(sa_type=Text)
    spool_until: datetime | None = Field(sa_type=DateTime(timezone=True))
    last_error: str | None = Field(sa_type=Text)


class RemovalRow(Base, table=True):
    """A job whose data was removed, up to a revision. Waits here for what comes later."""

    __tablename__ = "removals"

    job_id: UUID = Field(primary_key=True)
    revision: int


class RetryRow(Base, table=True):
    """A revision that a retry has asked for: another retry of the same one adds nothing."""

    __tablename__ = "retries"

    job_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)


class DeletionRow(Base, table=True):
    """Something in the bucket that has to go: one staged object, or a job's outputs up to a revision."""

    __tablename__ = "deletions"
    __table_args__ = (
        CheckConstraint("attempt >= 0 AND fence >= 0", name="counts_upwards"),
        Index("deletions_due", "tenant", "due_at"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    tenant: str = Field(sa_type=Text)
    job_id: UUID
    revision: int
    key: str | None = Field(sa_type=Text)
    attempt: int
    fence: int = Field(sa_type=BigInteger)
    due_at: datetime = Field(sa_type=DateTime(timezone=True), nullable=False)
    last_error: str | None = Field(sa_type=Text)
