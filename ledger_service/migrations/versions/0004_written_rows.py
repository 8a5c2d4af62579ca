"""Types of the rows that the ledger writes: an array of one of them is sent whole, at half the cost of its columns.

Such a type is never changed, since a ledger of the release before may still write by it: another column needs a type
of another name.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for statement in TYPES:
        op.execute(statement)


TYPES = (
    """
    CREATE TYPE ledger.written_jobs AS (
        job_id uuid, tenant text, revision int, status ledger.job_status, started_at timestamptz,
        completed_at timestamptz, updated_at timestamptz, error_code text, error_message text, retry_count int,
        announced int, model text, num_outputs int, metadata jsonb, requested_at timestamptz, requested_offset bigint,
        data_removed_at timestamptz, removed_revision int, removed_offset bigint, removal_said int, prompt text,
        seed bigint, output_format text, input jsonb, deadline timestamptz, max_attempts smallint
    )
    """,
    """
    CREATE TYPE ledger.written_outputs AS (
        job_id uuid, status ledger.output_status, phase ledger.output_phase, cause text, revision int, index smallint,
        generation int, generation_attempts int, submitted_attempt int, upload_attempts int, submitted_at timestamptz,
        media_url text, renewal smallint, renewal_offset bigint, generated_at timestamptz, generated_offset bigint,
        s3_key text, sha256 text, size bigint, content_type text, width int, height int, duration_ms int,
        stored_at timestamptz, stored_offset bigint, error_code text, error_message text, failed_at timestamptz,
        failed_topic text, failed_offset bigint, trouble ledger.output_trouble, trouble_attempt int,
        trouble_words text, trouble_offset bigint
    )
    """,
    """
    CREATE TYPE ledger.written_attempts AS (
        job_id uuid, revision int, kind ledger.attempt_kind, subject smallint, attempt int,
        result ledger.attempt_result, provider text, provider_id text, cost_units int, code text, message text,
        started_at timestamptz, ended_at timestamptz, next_try_at timestamptz
    )
    """,
    """
    CREATE TYPE ledger.written_facts AS (
        topic text, partition smallint, "offset" bigint, job_id uuid, event_id uuid, occurred_at timestamptz
    )
    """,
)
