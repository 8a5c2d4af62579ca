"""Migrations must not lock a table that is in use: squawk reads the SQL that each service's migrations run."""

import io

import pytest
from alembic import command

from darkroom.setup import alembic_config
from tests.repository.tree import ROOT, said_by

SERVICES = ["generator", "uploader", "ledger"]
NOWHERE = "postgresql://nobody@127.0.0.1:1/darkroom"


def sql_of(service: str) -> str:
    """Every statement from an empty database to the newest tables. Nothing is connected to."""
    config = alembic_config(service, NOWHERE)
    config.output_buffer = sql = io.StringIO()
    command.upgrade(config, "head", sql=True)
    return sql.getvalue()


def squawk(sql: str) -> str:
    return said_by("squawk", "--config", ROOT / ".squawk.toml", "--reporter", "gcc", stdin=sql)


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_migrations_lock_no_table_in_use(service: str) -> None:
    sql = sql_of(service)

    assert "CREATE TABLE" in sql
    assert squawk(sql) == ""


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("CREATE INDEX late ON jobs (status);", "require-concurrent-index-creation"),
        ("ALTER TABLE jobs DROP COLUMN status;", "ban-drop-column"),
        ("ALTER TABLE jobs ADD COLUMN name text NOT NULL;", "adding-required-field"),
    ],
)
def test_a_planted_statement_that_locks_or_breaks_readers_is_found(planted: str, rule: str) -> None:
    assert rule in squawk(planted)
