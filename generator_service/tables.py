"""The generator's own tables: what it has planned, and where each provider call stands."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Enum,
    Index,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from stage.tables import add_stage_tables

SCHEMA = "generator"
metadata = MetaData(schema=SCHEMA)
add_stage_tables(metadata)


class State(StrEnum):
    """Where a generation stands."""

    PENDING = "PENDING"
    INTENT = "INTENT"
    SUBMITTED = "SUBMITTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    HELD = "HELD"


class Base(SQLModel, registry=registry(metadata=metadata)):
    """Tables of this service alone."""

    metadata = metadata


class GateRow(Base, table=True):
    """A revision that was planned. Only the transaction whose insert won plans, and the row is never removed."""

    __tablename__ = "gates"

    job_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)


class GenerationRow(Base, table=True):
    """One provider call of a plan, covering one or more outputs. What it asks for is never computed again."""

    __tablename__ = "generations"
    __table_args__ = (
        UniqueConstraint("job_id", "revision", "number"),
        UniqueConstraint("provider", "provider_id"),
        CheckConstraint("attempt >= 0 AND fence >= 0", name="counts_upwards"),
        CheckConstraint("cardinality(outputs) BETWEEN 1 AND 10", name="covers_outputs"),
        CheckConstraint("(state IN ('SUCCEEDED', 'FAILED', 'HELD')) = (due_at IS NULL)", name="due_until_over"),
        Index("generations_due", "tenant", "due_at", postgresql_where="due_at IS NOT NULL"),
    )

    id: UUID = Field(primary_key=True)
    job_id: UUID
    revision: int
    number: int
    tenant: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    outputs: list[int] = Field(sa_column=Column(ARRAY(SmallInteger), nullable=False))
    ask: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    deadline: datetime | None = Field(sa_type=DateTime(timezone=True))
    state: State = Field(sa_column=Column(Enum(State, name="generation_state", metadata=metadata), nullable=False))
    attempt: int
    fence: int = Field(sa_type=BigInteger)
    owner: str | None = Field(sa_type=Text)
    due_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    intent_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    submitted_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    provider_id: str | None = Field(sa_type=Text)
    last_error: str | None = Field(sa_type=Text)
