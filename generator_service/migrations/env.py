"""Runs the generator's migrations."""

from generator_service.tables import metadata
from stage.migrating import run_migrations

run_migrations(metadata)
