"""What the commands for operators have in common: a service's tables, Kafka, and how answers are shown."""

import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import click

from darkroom.steps import WrongSettingError, database_setting

if TYPE_CHECKING:
    from pydantic import ValidationError

    from gateway.operations import Operations as Doors
    from generator_service.operations import Operations
    from stage.bucket import BucketSettings
    from stage.database import Pool
    from stage.settings import KafkaSettings

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

as_json = click.option("--json", "in_json", is_flag=True, help="JSON, for programs.")


class NothingChanged(Exception):
    """It cannot be done as things are: says why."""


def with_tables(
    environ: Mapping[str, str], home: Path | None, service: str, work: Callable[["Pool"], Awaitable[T]]
) -> T:  # fmt: skip
    """Do `work` with a service's tables. The logs of what it uses go to stderr: stdout is for the answer."""
    import asyncio

    import structlog
    import uvloop

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

    async def do() -> T:
        async with _tables(environ, home, service) as pool:
            return await work(pool)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(do())


def with_books(
    environ: Mapping[str, str], home: Path | None, work: Callable[["Operations"], Awaitable[T]]
) -> T:  # fmt: skip
    """Do `work` with the generator's books."""

    async def do(pool: "Pool") -> T:
        from generator_service.operations import Operations

        return await work(Operations(pool, _who()))

    return with_tables(environ, home, "generator", do)


def with_doors(
    environ: Mapping[str, str], home: Path | None, work: Callable[["Doors"], Awaitable[T]]
) -> T:  # fmt: skip
    """Do `work` with keys and tenants. What they refuse changes nothing."""

    async def do(pool: "Pool") -> T:
        from gateway.operations import Operations as Doors
        from gateway.operations import RefusedError

        try:
            return await work(Doors(pool))
        except RefusedError as refused:
            raise NothingChanged(str(refused)) from None

    return with_tables(environ, home, "gateway", do)


def with_doors_and_books(
    environ: Mapping[str, str], home: Path | None, work: Callable[["Doors", "Operations"], Awaitable[T]]
) -> T:  # fmt: skip
    """Do `work` with keys and tenants and with the generator's books."""

    async def do(doors: "Doors") -> T:
        from generator_service.operations import Operations

        async with _tables(environ, home, "generator") as books:
            return await work(doors, Operations(books, _who()))

    return with_doors(environ, home, do)


@asynccontextmanager
async def _tables(environ: Mapping[str, str], home: Path | None, service: str) -> AsyncIterator["Pool"]:
    """A service's tables: where its DATABASE_URL says, or in the local stack that runs in `home`.

    `WrongSettingError` when there is neither, `SetupError` when PostgreSQL cannot be reached or does not let us in.
    """
    setting, url = database_setting(service), database_url(environ, home, service)
    import asyncpg

    from darkroom.setup import SetupError
    from stage.database import new_pool

    try:
        async with await new_pool(url, schema=service, name=_who()) as pool:
            yield pool
    except OSError as error:
        raise SetupError(f"PostgreSQL cannot be reached: does it run where {setting} says?") from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise SetupError(f"PostgreSQL does not let us in ({error}): correct {setting}") from error
    except asyncpg.UndefinedTableError as error:
        raise SetupError(f"{setting} leads to no tables of the {service}: run `darkroom database migrate`") from error


def database_url(environ: Mapping[str, str], home: Path | None, service: str) -> str:
    """Where a service's tables are. `WrongSettingError` when that is not set and no local stack runs in `home`."""
    return environ.get(database_setting(service)) or environ.get("DATABASE_URL") or _local(home, environ, service)


def _who() -> str:
    return f"operator-{socket.gethostname()}-{os.getpid()}"


def _local(home: Path | None, environ: Mapping[str, str], service: str) -> str:
    from darkroom.local.home import home_from
    from darkroom.local.running import database_url

    home = home or home_from(environ)
    url = database_url(home, service)
    if url is None:
        setting = database_setting(service)
        raise WrongSettingError(f"{setting} is not set, and no local stack runs in {home}: give one or the other")
    return url


def kafka_settings(environ: Mapping[str, str], home: Path | None) -> "KafkaSettings":
    """How Kafka is reached: as the KAFKA_ settings say, or in the local stack that runs in `home`.

    `WrongSettingError` when there is neither.
    """
    from pydantic import ValidationError

    from stage.settings import KafkaSettings

    servers = environ.get("KAFKA_BOOTSTRAP_SERVERS") or _local_kafka(home, environ)
    try:
        return KafkaSettings.model_validate({**environ, "KAFKA_BOOTSTRAP_SERVERS": servers})
    except ValidationError as wrong:
        raise WrongSettingError(f"a KAFKA_ setting is wrong: {_named(wrong)}") from None


def _named(wrong: "ValidationError") -> str:
    """Which settings are wrong and why, never what they are: some are secrets."""
    return "; ".join(f"{error['loc'][0]}: {error['msg']}" for error in wrong.errors(include_input=False))


def _local_kafka(home: Path | None, environ: Mapping[str, str]) -> str:
    from darkroom.local.home import home_from
    from darkroom.local.ports import HOST
    from darkroom.local.running import parts_of
    from darkroom.local.state import State

    home = home or home_from(environ)
    for part in parts_of(home):
        if part.name == "kafka" and part.state is State.READY:
            return f"{HOST}:{part.port}"
    raise WrongSettingError(
        f"KAFKA_BOOTSTRAP_SERVERS is not set, and no local stack runs in {home}: give one or the other"
    )


def bucket_settings(environ: Mapping[str, str], home: Path | None) -> "BucketSettings":
    """Where the bucket is: as the S3_ settings say, or in the local stack that runs in `home`.

    `WrongSettingError` when there is neither.
    """
    from pydantic import ValidationError

    from darkroom.local.home import home_from
    from darkroom.local.running import bucket_environ
    from stage.bucket import BucketSettings

    told = dict(environ)
    if not environ.get("S3_ACCESS_KEY_ID"):
        told |= bucket_environ(home or home_from(environ)) or {}
    try:
        return BucketSettings.model_validate(told)
    except ValidationError as wrong:
        raise WrongSettingError(f"an S3_ setting is missing or wrong: {_named(wrong)}") from None


def told(answer: Any) -> str:
    """An answer as JSON."""
    return json.dumps(answer, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    return list(value)


def table(headings: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """Columns as wide as what is in them, for people."""
    cells = [headings, *(tuple(shown(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([click.style(lines[0], dim=True), *lines[1:]])


def shown(cell: Any) -> str:
    """One cell: moments to the second, in UTC."""
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M:%SZ}"
    return "-" if cell is None else str(cell)
