"""Doubts, duplicates and renewals."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "early_retries",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("fact", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "revision"),
        schema="generator",
    )
    op.create_table(
        "renewals",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("index", sa.SmallInteger(), nullable=False),
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "revision", "index"),
        schema="generator",
    )
    op.create_index(
        "renewals_due", "renewals", ["due_at"], unique=False, schema="generator", postgresql_where="due_at IS NOT NULL"
    )
    op.add_column(
        "former_calls", sa.Column("cancel_due_at", sa.DateTime(timezone=True), nullable=True), schema="generator"
    )
    op.create_index(
        "former_calls_to_cancel",
        "former_calls",
        ["cancel_due_at"],
        unique=False,
        schema="generator",
        postgresql_where="cancel_due_at IS NOT NULL",
    )
    op.add_column("generations", sa.Column("max_attempts", sa.Integer(), nullable=True), schema="generator")
    op.add_column("generations", sa.Column("seeks", sa.Uuid(), nullable=True), schema="generator")
    op.create_index(
        "generations_seeking",
        "generations",
        ["seeks"],
        unique=False,
        schema="generator",
        postgresql_where="seeks IS NOT NULL",
    )
