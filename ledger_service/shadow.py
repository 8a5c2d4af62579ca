"""The projections once more, in a schema of their own. Every SQL statement that makes, fills and drops them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Enum, MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from ledger_service.tables import SCHEMA, metadata
from stage.database import Connection
from stage.sift import Partition

SHADOW = "ledger_rebuild"
PROJECTIONS = ("jobs", "outputs", "attempts", "facts")
SAID = ("announced", "removal_said")
"""Columns of a job that hold what was said of it: they know it before the log does."""

LONG_SECONDS = 3_600.0
LOOK_THERE = f"SET LOCAL search_path = {SHADOW}, {SCHEMA}"
"""SQL: until the transaction ends, statements of the live tables mean those of the shadow."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How far the live ledger has heard a place of the log: its tables hold all facts below `next`.

    `cluster` is None when it remembers no reading of it.
    """

    next: int
    cluster: str | None


async def take_turn(connection: Connection) -> bool:
    """Whether this is the only session that has a shadow. It stays so until the session ends."""
    return bool(await connection.fetchval(f"SELECT pg_try_advisory_lock(hashtext('{SHADOW}'))"))


async def is_there(connection: Connection) -> bool:
    """Whether the schema for the shadow is there."""
    return bool(await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", SHADOW))


async def make_schema(connection: Connection, owner: str) -> None:
    """Make it, and give it to the ledger's role. Needs a role that may make schemas, which the ledger's own may not."""
    quoted = await connection.fetchval("SELECT quote_ident($1)", owner)
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SHADOW} AUTHORIZATION {quoted}")


async def make(connection: Connection) -> None:
    """Empty tables like the live ones, but for their indexes. What a killed command left is dropped first."""
    async with connection.transaction():
        await drop(connection)
        for table in _tables():
            await connection.execute(_sql(CreateTable(table)))


async def finish(connection: Connection) -> None:
    """Add the indexes, which would slow down what fills the tables, and let the planner know them."""
    for table in _tables():
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            await connection.execute(_sql(CreateIndex(index)), timeout=LONG_SECONDS)
        await connection.execute(f"ANALYZE {SHADOW}.{table.name}", timeout=LONG_SECONDS)


async def drop(connection: Connection) -> None:
    """Remove the shadow's tables, as far as there are any."""
    for table in PROJECTIONS:
        await connection.execute(f"DROP TABLE IF EXISTS {SHADOW}.{table}")


def _tables() -> Iterator[Table]:
    """As the live ones are told of, in the shadow's schema. They use the live ones' enums."""
    shadow = MetaData()
    for name in PROJECTIONS:
        table = metadata.tables[f"{SCHEMA}.{name}"].to_metadata(shadow, schema=SHADOW)
        for column in table.columns:
            if isinstance(column.type, Enum):
                column.type.schema = SCHEMA
        yield table


def _sql(statement: ExecutableDDLElement) -> str:
    return str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


async def heard(connection: Connection, places: Iterable[Partition]) -> dict[Partition, Heard]:
    """How far the live ledger has heard each place. After a rewind that is further than it has read again."""
    wanted = list(places)
    rows = await connection.fetch(
        f"""
        SELECT topic, partition, cluster_id, greatest(next, 0, (
            SELECT max("offset") + 1 FROM {SCHEMA}.facts
            WHERE facts.topic = wanted.topic AND facts.partition = wanted.partition
        )) AS next
        FROM unnest($1::text[], $2::int[]) AS wanted (topic, partition)
        LEFT JOIN {SCHEMA}.offsets USING (topic, partition)
        """,  # noqa: S608 - our own names
        [topic for topic, _ in wanted],
        [number for _, number in wanted],
    )
    return {(row["topic"], row["partition"]): Heard(row["next"], row["cluster_id"]) for row in rows}


async def outbox_of(connection: Connection, topics: Iterable[str]) -> list[tuple[str, int, bytes, bytes]]:
    """What the live ledger still has to say on these topics: topic, partition, key and value."""
    rows = await connection.fetch(
        f"SELECT topic, partition, key, value FROM {SCHEMA}.outbox WHERE topic = ANY($1)",  # noqa: S608 - our own names
        list(topics),
    )
    return [tuple(row) for row in rows]


async def mark(connection: Connection, column: str, said: Mapping[UUID, int]) -> None:
    """Let the shadow know that these revisions were said, if they are there."""
    if said:
        await connection.execute(
            f"""
            UPDATE {SHADOW}.jobs SET {column} = greatest(jobs.{column}, least(said.revision, jobs.revision))
            FROM unnest($1::uuid[], $2::int[]) AS said (job_id, revision) WHERE jobs.job_id = said.job_id
            """,  # noqa: S608 - our own names
            list(said),
            list(said.values()),
            timeout=LONG_SECONDS,
        )


async def excuse(connection: Connection, column: str, said: Mapping[UUID, int]) -> None:
    """Let the shadow know what the live ledger knows, up to these revisions: it says them, or heard them, just now."""
    if said:
        await connection.execute(
            f"""
            UPDATE {SHADOW}.jobs SET {column} = live.{column}
            FROM unnest($1::uuid[], $2::int[]) AS said (job_id, revision), {SCHEMA}.jobs AS live
            WHERE jobs.job_id = said.job_id AND live.job_id = said.job_id
              AND live.{column} > jobs.{column} AND live.{column} <= least(said.revision, jobs.revision)
            """,  # noqa: S608 - our own names
            list(said),
            list(said.values()),
            timeout=LONG_SECONDS,
        )


async def untold(connection: Connection, limit: int) -> Sequence[UUID]:
    """Up to `limit` jobs of the shadow that are over, and of whose end nobody was told."""
    rows = await connection.fetch(
        f"""
        SELECT job_id FROM {SHADOW}.jobs WHERE completed_at IS NOT NULL AND announced < revision
        ORDER BY job_id LIMIT $1
        """,  # noqa: S608 - our own names
        limit,
        timeout=LONG_SECONDS,
    )
    return [row["job_id"] for row in rows]


async def count(connection: Connection, table: str) -> int:
    """The rows of one of the shadow's tables."""
    return int(await connection.fetchval(f"SELECT count(*) FROM {SHADOW}.{table}", timeout=LONG_SECONDS))  # noqa: S608 - our own names
