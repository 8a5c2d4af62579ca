"""Runs the gateway's migrations."""

from gateway.tables import metadata
from stage.migrating import run_migrations

run_migrations(metadata)
