"""What the commands for operators have in common: the generator's books, and how answers are shown."""

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
    from generator_service.operations import Operations

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

SETTING = database_setting("generator")

as_json = click.option("--json", "in_json", is_flag=True, help="JSON, for programs.")


class NothingChanged(Exception):
    """It cannot be done as things are: says why."""


def with_books(
    environ: Mapping[str, str], home: Path | None, work: Callable[["Operations"], Awaitable[T]]
) -> T:  # fmt: skip
    """Do `work` with the generator's books. The logs of what it uses go to stderr: stdout is for the answer."""
    import asyncio

    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

    async def do() -> T:
        async with _books(environ, home) as operations:
            return await work(operations)

    return asyncio.run(do())


@asynccontextmanager
async def _books(environ: Mapping[str, str], home: Path | None) -> AsyncIterator["Operations"]:
    """The generator's books: at GENERATOR_DATABASE_URL, or in the local stack that runs in `home`.

    `WrongSettingError` when there is neither, `SetupError` when PostgreSQL cannot be reached or does not let us in.
    """
    url = environ.get(SETTING) or environ.get("DATABASE_URL") or _local(home, environ)
    import asyncpg

    from darkroom.setup import SetupError
    from generator_service.operations import Operations
    from generator_service.tables import SCHEMA
    from stage.database import new_pool

    who = f"operator-{socket.gethostname()}-{os.getpid()}"
    try:
        async with await new_pool(url, schema=SCHEMA, name=who) as pool:
            yield Operations(pool, who)
    except OSError as error:
        raise SetupError(f"PostgreSQL cannot be reached: does it run where {SETTING} says?") from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise SetupError(f"PostgreSQL does not let us in ({error}): correct {SETTING}") from error
    except asyncpg.UndefinedTableError as error:
        raise SetupError(f"{SETTING} leads to no tables of a generator: run `darkroom database migrate`") from error


def _local(home: Path | None, environ: Mapping[str, str]) -> str:
    from darkroom.local.home import home_from
    from darkroom.local.running import database_url

    home = home or home_from(environ)
    url = database_url(home, "generator")
    if url is None:
        raise WrongSettingError(f"{SETTING} is not set, and no local stack runs in {home}: give one or the other")
    return url


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
