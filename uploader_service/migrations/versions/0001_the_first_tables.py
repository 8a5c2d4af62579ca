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
        "offsets",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column(
            "next", sa.BigInteger(), nullable=False, comment="The first offset whose effects are not in this schema yet"
        ),
        sa.Column("cluster_id", sa.Text(), nullable=False, comment="The Kafka cluster that these offsets speak of"),
        sa.PrimaryKeyConstraint("topic", "partition"),
        schema="uploader",
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
        schema="uploader",
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "state", sa.Enum("PENDING", "STORED", "FAILED", name="upload_state", schema="uploader"), nullable=False
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint("(state = 'PENDING') = (due_at IS NOT NULL)", name="due_until_over"),
        sa.CheckConstraint("attempt >= 0 AND fence >= 0", name="counts_upwards"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id", "revision", "index"),
        schema="uploader",
    )
    op.create_index(
        "uploads_due",
        "uploads",
        ["tenant", "due_at"],
        unique=False,
        schema="uploader",
        postgresql_where="due_at IS NOT NULL",
    )
