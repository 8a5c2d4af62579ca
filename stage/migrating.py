"""How a service's migrations run: each in its own schema, with its own version table, as its own role."""

import asyncio

from alembic import context
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine


def run_migrations(metadata: MetaData) -> None:
    """Bring the schema of `metadata` up to date; offline, print the SQL instead. Called by a service's `env.py`.

    A second run changes nothing. Two at once: the later waits for the earlier one's lock.
    """
    if context.is_offline_mode():
        _run(metadata, None)
    else:
        asyncio.run(_run_online(metadata, context.config.get_main_option("sqlalchemy.url") or ""))


async def _run_online(metadata: MetaData, url: str) -> None:
    # A role's own schema would be its default one, and alembic would then not see it under its name. A migration
    # that cannot get a lock soon gives up, rather than make every reader queue behind it.
    session = {"search_path": "public", "lock_timeout": "5s", "statement_timeout": "15min"}
    engine = create_async_engine(url, connect_args={"server_settings": session})
    async with engine.begin() as connection:
        await connection.run_sync(lambda synchronous: _run(metadata, synchronous))
    await engine.dispose()


def _run(metadata: MetaData, connection: Connection | None) -> None:
    schema = metadata.schema
    context.configure(
        connection=connection,
        url=None if connection else "postgresql://",
        literal_binds=connection is None,
        target_metadata=metadata,
        version_table_schema=schema,
        include_schemas=True,
        include_name=lambda name, kind, _: kind != "schema" or name == schema,
        compare_server_default=True,
    )
    with context.begin_transaction():
        if connection is not None:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('darkroom migrations'))")
        context.run_migrations()
