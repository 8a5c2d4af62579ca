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
        "attempts",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Enum("GENERATION", "UPLOAD", name="attempt_kind", schema="ledger"), nullable=False),
        sa.Column("subject", sa.SmallInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column(
            "result", sa.Enum("RUNNING", "FAILED", "SUCCEEDED", name="attempt_result", schema="ledger"), nullable=False
        ),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("cost_units", sa.Integer(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("attempt >= 1", name="counted_from_one"),
        sa.PrimaryKeyConstraint("job_id", "revision", "kind", "subject", "attempt"),
        schema="ledger",
    )
    op.create_table(
        "facts",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "offset"),
        schema="ledger",
    )
    op.create_index("facts_of_job", "facts", ["job_id"], unique=False, schema="ledger")
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "PROCESSING",
                "COMPLETED",
                "PARTIAL",
                "FAILED",
                "CANCELLED",
                "EXPIRED",
                name="job_status",
                schema="ledger",
            ),
            nullable=False,
        ),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("prompt", sa.Text(), nullable=True),
        sa.Column("num_outputs", sa.Integer(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("output_format", sa.Text(), nullable=True),
        sa.Column("input", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_offset", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("announced", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status IN ('PENDING', 'PROCESSING')) = (completed_at IS NULL)", name="completed_when_over"
        ),
        sa.CheckConstraint("(model IS NULL) = (requested_at IS NULL)", name="request_is_whole"),
        sa.CheckConstraint("announced BETWEEN 0 AND revision", name="announced_what_is"),
        sa.CheckConstraint("num_outputs BETWEEN 1 AND 10", name="outputs_in_range"),
        sa.CheckConstraint("requested_at IS NOT NULL OR completed_at IS NULL", name="nothing_completes_unasked"),
        sa.PrimaryKeyConstraint("job_id"),
        schema="ledger",
    )
    op.create_index("jobs_of_tenant", "jobs", ["tenant", "requested_at", "job_id"], unique=False, schema="ledger")
    op.create_table(
        "offsets",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column(
            "next", sa.BigInteger(), nullable=False, comment="The first offset whose effects are not in this schema yet"
        ),
        sa.Column("cluster_id", sa.Text(), nullable=False, comment="The Kafka cluster that these offsets speak of"),
        sa.PrimaryKeyConstraint("topic", "partition"),
        schema="ledger",
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
        schema="ledger",
    )
    op.create_table(
        "outputs",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("index", sa.SmallInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "PROCESSING",
                "COMPLETED",
                "FAILED",
                "CANCELLED",
                "EXPIRED",
                name="output_status",
                schema="ledger",
            ),
            nullable=False,
        ),
        sa.Column(
            "phase",
            sa.Enum("queued", "generating", "storing", "done", name="output_phase", schema="ledger"),
            nullable=False,
        ),
        sa.Column("generation", sa.Integer(), nullable=True),
        sa.Column("generation_attempts", sa.Integer(), nullable=False),
        sa.Column("upload_attempts", sa.Integer(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("media_url", sa.Text(), nullable=True),
        sa.Column("generated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generated_offset", sa.BigInteger(), nullable=True),
        sa.Column("s3_key", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stored_offset", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_topic", sa.Text(), nullable=True),
        sa.Column("failed_offset", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(status = 'COMPLETED') = (s3_key IS NOT NULL)", name="completed_is_stored"),
        sa.CheckConstraint(
            "status NOT IN ('FAILED', 'CANCELLED', 'EXPIRED') OR error_code IS NOT NULL", name="failed_says_why"
        ),
        sa.CheckConstraint("(s3_key IS NULL) = (sha256 IS NULL)", name="stored_is_whole"),
        sa.CheckConstraint("index BETWEEN 0 AND 9", name="index_in_range"),
        sa.PrimaryKeyConstraint("job_id", "revision", "index"),
        schema="ledger",
    )
    for statement in VIEWS:
        op.execute(statement)


# What others may read. Published: a column is added here, never renamed or removed.
VIEWS = (
    """
    CREATE VIEW ledger_v1.jobs AS
    SELECT job_id, tenant, revision, status::text, model, prompt, num_outputs, seed, output_format, input, metadata,
           deadline, requested_at, started_at, completed_at, updated_at, error_code, error_message, retry_count,
           (SELECT coalesce(sum(cost_units), 0)::bigint FROM ledger.attempts WHERE attempts.job_id = jobs.job_id)
               AS cost_units
    FROM ledger.jobs WHERE requested_at IS NOT NULL
    """,
    """
    CREATE VIEW ledger_v1.outputs AS
    SELECT DISTINCT ON (job_id, index)
           job_id, index, revision, status::text, phase::text, media_url, s3_key, sha256, size, content_type, width,
           height, duration_ms, error_code, error_message, generation_attempts + upload_attempts AS attempts,
           submitted_at, generated_at, stored_at, failed_at
    FROM ledger.outputs ORDER BY job_id, index, revision DESC
    """,
    """
    CREATE VIEW ledger_v1.offsets AS SELECT topic, partition, next FROM ledger.offsets
    """,
)
