"""The first tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("filled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("cost_units", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("calls >= 0 AND cost_units >= 0", name="spending_counts_upwards"),
        sa.PrimaryKeyConstraint("provider"),
        schema="generator",
    )
    op.create_table(
        "brakes",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name"),
        schema="generator",
    )
    op.create_table(
        "cancels",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("job_id"),
        schema="generator",
    )
    op.create_table(
        "former_calls",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "provider_id"),
        schema="generator",
    )
    op.create_table(
        "gates",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "revision"),
        schema="generator",
    )
    op.create_table(
        "generations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("outputs", sa.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("ask", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("cost_units", sa.Integer(), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "PENDING",
                "INTENT",
                "IN_DOUBT",
                "SUBMITTED",
                "HELD",
                "SUCCEEDED",
                "FAILED",
                name="generation_state",
                schema="generator",
            ),
            nullable=False,
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("polls", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("intent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pay_again", sa.Boolean(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint("(state IN ('SUCCEEDED', 'FAILED')) = (due_at IS NULL)", name="due_until_over"),
        sa.CheckConstraint("state <> 'SUBMITTED' OR provider_id IS NOT NULL", name="submitted_has_an_id"),
        sa.CheckConstraint("attempt >= 0 AND fence >= 0", name="counts_upwards"),
        sa.CheckConstraint("cardinality(outputs) BETWEEN 1 AND 10", name="covers_outputs"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id", "revision", "number"),
        sa.UniqueConstraint("provider", "provider_id"),
        schema="generator",
    )
    op.create_index(
        "generations_deadline",
        "generations",
        ["deadline"],
        unique=False,
        schema="generator",
        postgresql_where="state = 'PENDING' AND deadline IS NOT NULL",
    )
    op.create_index(
        "generations_to_look_at",
        "generations",
        ["tenant", "due_at"],
        unique=False,
        schema="generator",
        postgresql_where="state IN ('INTENT', 'IN_DOUBT', 'SUBMITTED', 'HELD')",
    )
    op.create_index(
        "generations_to_make",
        "generations",
        ["provider", "tenant", "due_at"],
        unique=False,
        schema="generator",
        postgresql_where="state = 'PENDING'",
    )
    op.create_table(
        "offsets",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column(
            "next", sa.BigInteger(), nullable=False, comment="The first offset whose effects are not in this schema yet"
        ),
        sa.Column("cluster_id", sa.Text(), nullable=False, comment="The Kafka cluster that these offsets speak of"),
        sa.PrimaryKeyConstraint("topic", "partition"),
        schema="generator",
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=True),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column(
            "headers", sa.LargeBinary(), nullable=False, comment="JSON pairs of name and content, bytes as Latin-1"
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="generator",
    )
