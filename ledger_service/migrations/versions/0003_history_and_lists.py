"""History and lists: what others may read of facts and attempts, and an index for each list of a tenant's jobs.

Only adds. The indexes of a million jobs take some five seconds to build; the ledger waits for them, readers do not.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for name in ("status", "model"):
        op.create_index(
            f"jobs_by_{name}", "jobs", ["tenant", name, "requested_at", "job_id"], unique=False, schema="ledger"
        )
    op.create_index(
        "jobs_by_metadata",
        "jobs",
        ["metadata"],
        unique=False,
        schema="ledger",
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
        postgresql_where=sa.text("metadata <> '{}'"),
    )
    for statement in VIEWS:
        op.execute(statement)


# What others may read. `state` is `status` as its index has it: a text would be compared with every row.
VIEWS = (
    """
    CREATE OR REPLACE VIEW ledger_v1.jobs AS
    SELECT job_id, tenant, revision, status::text, model, prompt, num_outputs, seed, output_format, input, metadata,
           deadline, requested_at, started_at, completed_at, updated_at, error_code, error_message, retry_count,
           (SELECT coalesce(sum(cost_units), 0)::bigint FROM ledger.attempts WHERE attempts.job_id = jobs.job_id)
               AS cost_units,
           max_attempts, data_removed_at, removed_revision, status AS state
    FROM ledger.jobs WHERE requested_at IS NOT NULL
    """,
    """
    CREATE VIEW ledger_v1.facts AS
    SELECT job_id, topic, partition, "offset", event_id, occurred_at FROM ledger.facts
    """,
    """
    CREATE VIEW ledger_v1.attempts AS
    SELECT job_id, revision, kind::text, subject, attempt, result::text, provider, provider_id, cost_units, code,
           message, started_at, ended_at, next_try_at
    FROM ledger.attempts
    """,
)
