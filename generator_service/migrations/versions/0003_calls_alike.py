"""Calls that look alike at their provider are found by what they ask for."""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index("generations_alike", "generations", ["ask"], schema="generator", postgresql_using="hash")
