"""Runs the ledger's migrations."""

from ledger_service.tables import metadata
from stage.migrating import run_migrations

run_migrations(metadata)
