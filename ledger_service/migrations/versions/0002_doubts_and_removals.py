"""Doubts, renewed sources, causes and removals. Only adds: a ledger of before goes on writing beside it.

Rows that were written before hold no causes, and a rebuild from the log fills them.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TROUBLE = postgresql.ENUM(
    "looked_for", "held", "failed", "not_stored", name="output_trouble", schema="ledger", create_type=False
)


JOBS: tuple[sa.Column[Any], ...] = (
    sa.Column("max_attempts", sa.SmallInteger(), nullable=True),
    sa.Column("data_removed_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("removed_revision", sa.Integer(), server_default="0", nullable=False),
    sa.Column("removed_offset", sa.BigInteger(), server_default="0", nullable=False),
    sa.Column("removal_said", sa.Integer(), server_default="0", nullable=False),
)
OUTPUTS: tuple[sa.Column[Any], ...] = (
    sa.Column("cause", sa.Text(), nullable=True),
    sa.Column("submitted_attempt", sa.Integer(), server_default="0", nullable=False),
    sa.Column("renewal", sa.SmallInteger(), server_default="0", nullable=False),
    sa.Column("renewal_offset", sa.BigInteger(), nullable=True),
    sa.Column("trouble", TROUBLE, nullable=True),
    sa.Column("trouble_attempt", sa.Integer(), server_default="0", nullable=False),
    sa.Column("trouble_words", sa.Text(), nullable=True),
    sa.Column("trouble_offset", sa.BigInteger(), server_default="0", nullable=False),
)


def upgrade() -> None:
    op.execute("ALTER TYPE ledger.output_phase ADD VALUE 'reconciling' BEFORE 'storing'")
    op.execute("CREATE TYPE ledger.output_trouble AS ENUM ('looked_for', 'held', 'failed', 'not_stored')")
    for column in JOBS:
        op.add_column("jobs", column, schema="ledger")
    for column in OUTPUTS:
        op.add_column("outputs", column, schema="ledger")
    op.create_index(
        "jobs_to_remove",
        "jobs",
        ["tenant", "completed_at"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("completed_at IS NOT NULL AND removal_said < revision"),
    )
    for statement in VIEWS:
        op.execute(statement)


# What others may read: new columns come last, the ones of before stay as they are.
VIEWS = (
    """
    CREATE OR REPLACE VIEW ledger_v1.jobs AS
    SELECT job_id, tenant, revision, status::text, model, prompt, num_outputs, seed, output_format, input, metadata,
           deadline, requested_at, started_at, completed_at, updated_at, error_code, error_message, retry_count,
           (SELECT coalesce(sum(cost_units), 0)::bigint FROM ledger.attempts WHERE attempts.job_id = jobs.job_id)
               AS cost_units,
           max_attempts, data_removed_at, removed_revision
    FROM ledger.jobs WHERE requested_at IS NOT NULL
    """,
    """
    CREATE OR REPLACE VIEW ledger_v1.outputs AS
    SELECT DISTINCT ON (job_id, index)
           job_id, index, revision, status::text, phase::text, media_url, s3_key, sha256, size, content_type, width,
           height, duration_ms, error_code, error_message, generation_attempts + upload_attempts AS attempts,
           submitted_at, generated_at, stored_at, failed_at, cause
    FROM ledger.outputs ORDER BY job_id, index, revision DESC
    """,
)
