"""The gateway's own tables: who may call, with which keys, and how much of it."""

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

SCHEMA = "gateway"
metadata = MetaData(schema=SCHEMA)


class Base(SQLModel, registry=registry(metadata=metadata)):
    """Tables of this service alone."""

    metadata = metadata


class TenantRow(Base, table=True):
    """Somebody whose jobs are seen by nobody else. A limit that is null is the gateway's setting."""

    __tablename__ = "tenants"
    __table_args__ = (
        CheckConstraint("name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'", name="plain_name"),
        CheckConstraint("requests_per_minute > 0 AND jobs_queued > 0", name="limits_let_some_in"),
    )

    name: str = Field(sa_column=Column(Text, primary_key=True))
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    suspended_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    requests_per_minute: int | None
    jobs_queued: int | None


class KeyRow(Base, table=True):
    """What opens the door for a tenant. The key itself is nowhere: only its hash is kept."""

    __tablename__ = "keys"
    __table_args__ = (
        CheckConstraint("octet_length(hash) = 32", name="hashed_by_sha256"),
        CheckConstraint(
            "scopes <@ ARRAY['submit', 'read', 'operate'] AND cardinality(scopes) > 0", name="known_scopes"
        ),
        CheckConstraint("expires_at > created_at", name="lives_for_a_while"),
        Index("keys_of_a_tenant", "tenant", "created_at"),
    )

    id: str = Field(sa_column=Column(Text, primary_key=True))
    tenant: str = Field(sa_column=Column(Text, ForeignKey(f"{SCHEMA}.tenants.name"), nullable=False))
    name: str = Field(sa_type=Text)
    scopes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    expires_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    revoked_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    last_used_at: datetime | None = Field(sa_type=DateTime(timezone=True))


class BucketRow(Base, table=True):
    """What is left of an allowance, as of a moment: a key's or a tenant's, shared by all replicas."""

    __tablename__ = "buckets"
    __table_args__ = (CheckConstraint("tokens >= 0", name="never_overdrawn"),)

    name: str = Field(sa_column=Column(Text, primary_key=True))
    tokens: float = Field(sa_type=Double)
    filled_at: datetime = Field(sa_type=DateTime(timezone=True))
