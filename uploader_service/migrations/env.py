"""Runs the uploader's migrations."""

from stage.migrating import run_migrations
from uploader_service.tables import metadata

run_migrations(metadata)
