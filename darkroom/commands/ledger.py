"""`darkroom ledger`: the ledger's tables, held against the log that they come from, or made from it anew."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.operators import NothingChanged, as_json, database_url, kafka_settings, with_tables
from darkroom.steps import ADMIN_DATABASE, WrongSettingError

if TYPE_CHECKING:
    from ledger_service.history import Say
    from ledger_service.log import Log
    from ledger_service.rebuild import Rebuilt
    from ledger_service.workers import Workers
    from stage.database import Connection, Pool

    Work = Callable[[Connection, Log, Say, Workers], Awaitable[Rebuilt]]

processes_option = click.option(
    "--processes", type=click.IntRange(1, 12), help="That fold.  [default: one per core, at most 4; 1 for a short log]"
)


@click.group(
    epilog=examples(
        "darkroom ledger check        does it hold what the log says? Exit code 1 when it does not",
        "darkroom ledger rebuild      make its tables from the log anew",
    )
)
def ledger() -> None:
    """Hold the ledger's tables against the log that they come from.

    Both fold the whole log into tables beside the live ones. Services may run. They need LEDGER_DATABASE_URL and
    KAFKA_BOOTSTRAP_SERVERS, or the local stack. See docs/operations.md.
    """


@ledger.command(
    epilog=examples(
        "darkroom ledger check",
        "darkroom ledger check --json | jq .equal",
    )
)
@processes_option
@as_json
@home_option()
@click.pass_obj
def check(environ: dict[str, str], processes: int | None, in_json: bool, home: Path | None) -> None:
    """Compare the ledger with the log. Exit code 1 when they differ.

    To exactly the place that the ledger has read. Nothing live is changed, locked or said, and traffic goes on.
    """
    from ledger_service.rebuild import check as checked

    found = _done(environ, home, processes, checked)
    click.echo(_line(found, "announced_again") if in_json else "\n".join(_compared(found)))
    if not found.comparison.equal:
        raise click.exceptions.Exit(1)


@ledger.command(
    epilog=examples(
        "darkroom ledger rebuild",
        "darkroom ledger rebuild --json | jq .announced",
    )
)
@processes_option
@as_json
@home_option()
@click.pass_obj
def rebuild(environ: dict[str, str], processes: int | None, in_json: bool, home: Path | None) -> None:
    """Make the ledger's tables from the log anew.

    They are swapped for the live ones in one moment. Works on an empty ledger, too. Nobody is told anything again;
    what nobody was told is told once. A crash before the swap changes nothing: run it again.
    """
    from ledger_service.rebuild import rebuild as rebuilt

    done = _done(environ, home, processes, rebuilt)
    if in_json:
        click.echo(_line(done, "announced"))
        return
    click.echo("\n".join(_compared(done)))
    told = f" {done.told} jobs were over and nobody had been told: they are announced now." if done.told else ""
    click.echo(f"The ledger's tables are those of the log now.{told}")


def _done(environ: dict[str, str], home: Path | None, processes: int | None, work: "Work") -> "Rebuilt":
    async def do(pool: "Pool") -> "Rebuilt":
        from ledger_service.beside import BusyTablesError
        from ledger_service.log import LogSilentError
        from ledger_service.rebuild import CannotRebuildError
        from ledger_service.workers import WorkerDiedError, Workers

        workers = Workers(kafka_settings(environ, home), database_url(environ, home, "ledger"), processes)
        try:
            async with _log(environ, home) as log, pool.acquire() as connection:
                await _make_room(connection, environ, home)
                return await work(connection, log, lambda words: click.echo(words, err=True), workers)
        except (CannotRebuildError, BusyTablesError, LogSilentError, WorkerDiedError) as why:
            raise NothingChanged(f"{why}. Nothing was changed") from None

    return with_tables(environ, home, "ledger", do)


@asynccontextmanager
async def _log(environ: dict[str, str], home: Path | None) -> AsyncIterator["Log"]:
    from aiokafka.errors import KafkaError

    from darkroom.setup import SetupError
    from ledger_service.log import Log

    try:
        async with Log.open(kafka_settings(environ, home), "darkroom-ledger") as log:
            yield log
    except KafkaError as fault:
        raise SetupError(
            f"Kafka does not answer ({type(fault).__name__}): does it run where KAFKA_BOOTSTRAP_SERVERS says?"
        ) from fault


async def _make_room(connection: "Connection", environ: dict[str, str], home: Path | None) -> None:
    """Make the schema for the tables beside, where it is missing: as ourselves, or as the administrator."""
    import asyncpg
    from sqlalchemy.engine import make_url

    from ledger_service import shadow

    if await shadow.is_there(connection):
        return None
    owner, database = await connection.fetchrow("SELECT current_user, current_database()")  # type: ignore[misc]
    try:
        return await shadow.make_schema(connection, owner)
    except asyncpg.InsufficientPrivilegeError:
        url = make_url(_admin_url(environ, home)).set(database=database)
    admin = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        await shadow.make_schema(admin, owner)
    finally:
        await admin.close()


def _admin_url(environ: dict[str, str], home: Path | None) -> str:
    """The administrator's URL: given, or that of the local stack."""
    from darkroom.local.home import home_from
    from darkroom.local.postgres import admin_url
    from darkroom.local.running import parts_of

    if given := environ.get(ADMIN_DATABASE):
        return given
    home = home or home_from(environ)
    for part in parts_of(home):
        if part.name == "postgres":
            return admin_url(home, part.port)
    raise WrongSettingError(
        f"{ADMIN_DATABASE} is not set: schema ledger_rebuild is not there yet, and only an administrator can make it"
    )


def _line(done: "Rebuilt", told: str) -> str:
    """One line for programs; `told` names the announcements that this put into the outbox."""
    compared = done.comparison
    live, rebuilt = compared.digests
    said = {
        "equal": compared.equal, **{table: compared.rebuilt[table].rows for table in ("jobs", "outputs", "facts")},
        "digest_live": live, "digest_rebuilt": rebuilt, "facts_per_s": _speed(done), told: done.told,
        "differences": {
            table: {"rows": difference.rows, "jobs": list(map(str, difference.jobs))}
            for table, difference in compared.differences.items()
        },
    }  # fmt: skip
    return json.dumps(said)


def _compared(done: "Rebuilt") -> list[str]:
    compared = done.comparison
    live, rebuilt = compared.digests
    counts = ", ".join(f"{compared.rebuilt[table].rows:,} {table}" for table in ("jobs", "outputs", "attempts"))
    lines = [f"{done.facts:,} facts folded, {_speed(done):,} a second: {counts}."]
    if compared.equal:
        return [*lines, f"The ledger holds exactly what the log says. Digest {live}"]
    lines.append(f"The ledger DIFFERS from what the log says.\n  ledger {live}\n  log    {rebuilt}")
    for table, difference in compared.differences.items():
        jobs = ", ".join(map(str, difference.jobs))
        more = " …" if difference.rows > len(difference.jobs) else ""
        lines.append(f"  {table}: {difference.rows:,} rows differ, of jobs such as {jobs}{more}")
    return lines


def _speed(done: "Rebuilt") -> int:
    return round(done.facts / done.seconds) if done.seconds else 0
