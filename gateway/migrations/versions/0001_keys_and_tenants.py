"""Keys and tenants, and what is left of their allowances."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True),
        sa.Column("jobs_queued", sa.Integer(), nullable=True),
        sa.CheckConstraint("name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'", name="plain_name"),
        sa.CheckConstraint("requests_per_minute > 0 AND jobs_queued > 0", name="limits_let_some_in"),
        sa.PrimaryKeyConstraint("name"),
        schema="gateway",
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("octet_length(hash) = 32", name="hashed_by_sha256"),
        sa.CheckConstraint(
            "scopes <@ ARRAY['submit', 'read', 'operate'] AND cardinality(scopes) > 0", name="known_scopes"
        ),
        sa.CheckConstraint("expires_at > created_at", name="lives_for_a_while"),
        sa.ForeignKeyConstraint(["tenant"], ["gateway.tenants.name"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
        schema="gateway",
    )
    op.create_index("keys_of_a_tenant", "keys", ["tenant", "created_at"], unique=False, schema="gateway")
    op.create_table(
        "buckets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("filled_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("tokens >= 0", name="never_overdrawn"),
        sa.PrimaryKeyConstraint("name"),
        schema="gateway",
    )
