"""The uploader's own tables: one row per output and revision that has to get into the bucket."""

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
    Identity,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from stage.tables import add_stage_tables

SCHEMA = "uploader"
metadata = MetaData(schema=SCHEMA)
add_stage_tables(metadata)


class State(StrEnum):
    """Where an upload stands."""

    PENDING = "PENDING"
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
        CheckConstraint("(state = 'PENDING') = (due_at IS NOT NULL)", name="due_until_over"),
        Index("uploads_due", "tenant", "due_at", postgresql_where="due_at IS NOT NULL"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    job_id: UUID
    revision: int
    index: int
    tenant: str = Field(sa_type=Text)
    source: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    state: State = Field(sa_column=Column(Enum(State, name="upload_state", metadata=metadata), nullable=False))
    attempt: int
    fence: int = Field(sa_type=BigInteger)
    owner: str | None = Field(sa_type=Text)
    due_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    last_error: str | None = Field(sa_type=Text)
