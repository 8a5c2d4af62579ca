"""The generator's own tables: what it has planned, and where each provider call stands."""

from datetime import date, datetime
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
    IN_DOUBT = "IN_DOUBT"
    SUBMITTED = "SUBMITTED"
    HELD = "HELD"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class Base(SQLModel, registry=registry(metadata=metadata)):
    """Tables of this service alone."""

    metadata = metadata


class GateRow(Base, table=True):
    """A revision that was planned. Only the transaction whose insert won plans, and the row is never removed."""

    __tablename__ = "gates"

    job_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)


class CancelRow(Base, table=True):
    """A job that was cancelled, up to a revision. Waits here when it comes before its request."""

    __tablename__ = "cancels"

    job_id: UUID = Field(primary_key=True)
    revision: int


class GenerationRow(Base, table=True):
    """One provider call of a plan, covering one or more outputs. What it asks for is never computed again."""

    __tablename__ = "generations"
    __table_args__ = (
        UniqueConstraint("job_id", "revision", "number"),
        UniqueConstraint("provider", "provider_id"),
        CheckConstraint("attempt >= 0 AND fence >= 0", name="counts_upwards"),
        CheckConstraint("cardinality(outputs) BETWEEN 1 AND 10", name="covers_outputs"),
        CheckConstraint("(state IN ('SUCCEEDED', 'FAILED')) = (due_at IS NULL)", name="due_until_over"),
        CheckConstraint("state <> 'SUBMITTED' OR provider_id IS NOT NULL", name="submitted_has_an_id"),
        Index("generations_to_make", "provider", "tenant", "due_at", postgresql_where="state = 'PENDING'"),
        Index("generations_to_look_at", "tenant", "due_at",
              postgresql_where="state IN ('INTENT', 'IN_DOUBT', 'SUBMITTED', 'HELD')"),
        Index("generations_deadline", "deadline", postgresql_where="state = 'PENDING' AND deadline IS NOT NULL"),
        Index("generations_seeking", "seeks", postgresql_where="seeks IS NOT NULL"),
        Index("generations_alike", "ask", postgresql_using="hash"),
    )  # fmt: skip

    id: UUID = Field(primary_key=True)
    job_id: UUID
    revision: int
    number: int
    tenant: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    model: str = Field(sa_type=Text)
    outputs: list[int] = Field(sa_column=Column(ARRAY(SmallInteger), nullable=False))
    ask: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    cost_units: int
    deadline: datetime | None = Field(sa_type=DateTime(timezone=True))
    state: State = Field(sa_column=Column(Enum(State, name="generation_state", metadata=metadata), nullable=False))
    attempt: int
    polls: int
    fence: int = Field(sa_type=BigInteger)
    owner: str | None = Field(sa_type=Text)
    due_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    intent_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    submitted_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    cancel_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    pay_again: bool
    max_attempts: int | None
    seeks: UUID | None  # the earlier generation whose lost call this one looks for, before it is paid again
    provider_id: str | None = Field(sa_type=Text)
    last_error: str | None = Field(sa_type=Text)


class FormerCallRow(Base, table=True):
    """A call that failed and was followed by another attempt, or a second one that nobody needed. It is in the
    provider's list for ever after: whoever looks there for a lost call, or for one that nobody asked for, must know
    that it is neither.
    """

    __tablename__ = "former_calls"
    __table_args__ = (Index("former_calls_to_cancel", "cancel_due_at", postgresql_where="cancel_due_at IS NOT NULL"),)

    provider: str = Field(primary_key=True, sa_type=Text)
    provider_id: str = Field(primary_key=True, sa_type=Text)
    generation_id: UUID
    attempt: int
    cancel_due_at: datetime | None = Field(sa_type=DateTime(timezone=True))


class EarlyRetryRow(Base, table=True):
    """A retry that was heard before the job it speaks of. Waits for it."""

    __tablename__ = "early_retries"

    job_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    fact: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class RenewalRow(Base, table=True):
    """An output whose source expired before it was fetched: its provider is asked once more where it lies."""

    __tablename__ = "renewals"
    __table_args__ = (Index("renewals_due", "due_at", postgresql_where="due_at IS NOT NULL"),)

    job_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    index: int = Field(primary_key=True, sa_type=SmallInteger)
    generation_id: UUID
    asked_at: datetime = Field(sa_type=DateTime(timezone=True), nullable=False)
    due_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    fence: int = Field(sa_type=BigInteger)


class AccountRow(Base, table=True):
    """How much may be asked of a provider, shared by all replicas: a token bucket, and today's spending."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint("calls >= 0 AND cost_units >= 0", name="spending_counts_upwards"),)

    provider: str = Field(primary_key=True, sa_type=Text)
    tokens: float
    filled_at: datetime = Field(sa_type=DateTime(timezone=True))
    blocked_until: datetime | None = Field(sa_type=DateTime(timezone=True))
    day: date
    calls: int
    cost_units: int = Field(sa_type=BigInteger)
    blocked_why: str | None = Field(sa_type=Text)


class BrakeRow(Base, table=True):
    """Something that was paused by hand: a provider, a model or a tenant. Its calls wait, what runs goes on."""

    __tablename__ = "brakes"

    kind: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    since: datetime = Field(sa_type=DateTime(timezone=True), nullable=False)
    why: str = Field(sa_type=Text)
