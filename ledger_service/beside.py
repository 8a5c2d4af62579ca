"""The live tables and the shadow's, side by side. Every SQL statement that compares them or swaps one for the other."""

import asyncio

import asyncpg

from ledger_service.digest import Comparison, Difference, Sums
from ledger_service.shadow import LONG_SECONDS, PROJECTIONS, SHADOW
from ledger_service.tables import SCHEMA, VIEWS, metadata
from stage.database import Connection

SHOWN = 5
WRITERS_WITHIN_S = 90  # PostgreSQL itself ends a ledger's transaction that has slept for 60
LOCK_TRIES = 50
LOCK_WAIT_MS = 200  # below deadlock_timeout: a reader never has to give way to us
LOCK_PAUSE_S = 0.2


class BusyTablesError(Exception):
    """Somebody has held the ledger's tables all the time in one long transaction: they could not be swapped."""


async def compare(connection: Connection) -> Comparison:
    """Both sides as this transaction sees them. Changes and locks nothing."""
    await connection.execute("SET LOCAL enable_seqscan = on")  # every row is read, in any order
    live = {table: await _sums(connection, SCHEMA, table) for table in PROJECTIONS}
    rebuilt = {table: await _sums(connection, SHADOW, table) for table in PROJECTIONS}
    differing = [table for table in PROJECTIONS if live[table] != rebuilt[table]]
    found = {table: await _difference(connection, table) for table in differing}
    await connection.execute("SET LOCAL enable_seqscan = off")
    return Comparison(live, rebuilt, found)


async def unlike(connection: Connection) -> list[str]:
    """Columns, indexes and constraints that only one side has, or that are others there, with their tables."""
    rows = await connection.fetch(
        """
        SELECT concat(relname, '.', attname) AS name
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = ANY (ARRAY[$1, $2]::regnamespace[]) AND relname = ANY($3) AND relkind = 'r'
          AND attnum > 0 AND NOT attisdropped
        GROUP BY relname, attname, atttypid, attnotnull HAVING count(*) = 1
        UNION ALL
        SELECT concat(tablename, '.', indexname) FROM pg_indexes
        WHERE schemaname::text::regnamespace = ANY (ARRAY[$1, $2]::regnamespace[]) AND tablename = ANY($3)
        GROUP BY tablename, indexname, replace(indexdef, schemaname || '.', '') HAVING count(*) = 1
        UNION ALL
        SELECT concat(relname, '.', conname) FROM pg_constraint JOIN pg_class ON conrelid = pg_class.oid
        WHERE relnamespace = ANY (ARRAY[$1, $2]::regnamespace[]) AND relname = ANY($3)
        GROUP BY relname, conname, pg_get_constraintdef(pg_constraint.oid) HAVING count(*) = 1
        """,
        SCHEMA,
        SHADOW,
        PROJECTIONS,
    )
    return sorted({row["name"] for row in rows})


async def _sums(connection: Connection, schema: str, table: str) -> Sums:
    row = await connection.fetchrow(
        f"""
        SELECT count(*) AS rows, coalesce(sum(hashtextextended(line, 0)), 0) AS first,
               coalesce(sum(hashtextextended(line, 1)), 0) AS second
        FROM (SELECT {_line(table, "told")} AS line FROM {schema}.{table} AS told) AS lines
        """,  # noqa: S608 - names from our own tables
        timeout=LONG_SECONDS,
    )
    assert row is not None  # noqa: S101 - an aggregate has always one row
    return Sums(row["rows"], int(row["first"]), int(row["second"]))


async def _difference(connection: Connection, table: str) -> Difference:
    keys = [f'"{column.name}"' for column in metadata.tables[f"{SCHEMA}.{table}"].primary_key]
    row = await connection.fetchrow(
        f"""
        WITH differing AS MATERIALIZED (
            SELECT coalesce(live.job_id, rebuilt.job_id) AS job_id
            FROM {SCHEMA}.{table} AS live FULL JOIN {SHADOW}.{table} AS rebuilt USING ({", ".join(keys)})
            WHERE {_line(table, "live")} IS DISTINCT FROM {_line(table, "rebuilt")}
        )
        SELECT (SELECT count(*) FROM differing) AS rows,
               ARRAY(SELECT DISTINCT job_id FROM differing ORDER BY job_id LIMIT {SHOWN}) AS jobs
        """,  # noqa: S608 - names from our own tables
        timeout=LONG_SECONDS,
    )
    assert row is not None  # noqa: S101 - a row of two subqueries
    return Difference(row["rows"], row["jobs"])


def _line(table: str, alias: str) -> str:
    """SQL: a row as text, whatever the order of the table's columns."""
    columns = (f'{alias}."{column.name}"' for column in metadata.tables[f"{SCHEMA}.{table}"].columns)
    return f"ROW({', '.join(columns)})::text"


async def hold_writers(connection: Connection) -> None:
    """Let nobody move an offset or write to the tables until the transaction ends. Readers go on.

    Whoever has begun to fold is waited for; whoever comes later waits, and then writes to whatever is there. All
    tables are taken, the shadow's own too: an automatic vacuum, which comes to tables that were just filled, gives way
    to this after a second, but not to the short waits of a swap.
    Raises `BusyTablesError` when somebody does not let go of them.
    """
    tables, ours = (", ".join(f"{schema}.{table}" for table in PROJECTIONS) for schema in (SCHEMA, SHADOW))
    await connection.execute(f"SET LOCAL lock_timeout = '{WRITERS_WITHIN_S}s'")
    try:
        await connection.execute(f"LOCK TABLE {SCHEMA}.offsets IN EXCLUSIVE MODE", timeout=LONG_SECONDS)
        await connection.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE", timeout=LONG_SECONDS)
        await connection.execute(f"LOCK TABLE {ours} IN ACCESS EXCLUSIVE MODE", timeout=LONG_SECONDS)
    except asyncpg.LockNotAvailableError:
        raise BusyTablesError("somebody writes to the ledger's tables in one long transaction: end it") from None


async def swap(connection: Connection) -> None:
    """Put the shadow's tables in the place of the live ones, and let the views show them, with their grants.

    The caller's transaction decides: until it commits, others see the old tables. Raises `BusyTablesError` when
    somebody does not let go of them.
    """
    await connection.execute(f"SET LOCAL search_path = {SCHEMA}")  # names of its tables come without it
    views = await connection.fetch(
        """
        SELECT c.relname AS name, pg_get_viewdef(c.oid) AS definition
        FROM pg_class AS c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'v' ORDER BY c.relname
        """,
        VIEWS,
    )
    await _hold_readers(connection, [view["name"] for view in views])
    await connection.execute(f"SET LOCAL search_path = {SHADOW}, {SCHEMA}")
    for view in views:
        await connection.execute(f'CREATE OR REPLACE VIEW {VIEWS}."{view["name"]}" AS {view["definition"]}')
    for table in PROJECTIONS:
        await connection.execute(f"DROP TABLE {SCHEMA}.{table}")
        await connection.execute(f"ALTER TABLE {SHADOW}.{table} SET SCHEMA {SCHEMA}")


async def _hold_readers(connection: Connection, views: list[str]) -> None:
    """Have the views and tables to ourselves. Tries for short moments only: meanwhile every reader waits."""
    names = [*(f'{VIEWS}."{view}"' for view in views), *(f"{SCHEMA}.{table}" for table in PROJECTIONS)]
    await connection.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
    for _ in range(LOCK_TRIES):
        try:
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(LOCK_PAUSE_S)
        else:
            return
    raise BusyTablesError("somebody reads the ledger's tables in one long transaction: end it, and rebuild again")
