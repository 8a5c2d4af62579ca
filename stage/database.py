"""Connections to a service's own schema."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from stage.telemetry import get_logger

log = get_logger(__name__)

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

Answer = TypeVar("Answer")

PASSING = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # stopped, restarted, cancelled, a session ended by the server
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, for as long as a failover takes
)
"""Faults of PostgreSQL that waiting can cure. A wrong password or a missing table is not among them."""

SESSION = {
    # Plans must not depend on statistics: a young table would be scanned whole at every claim.
    "enable_seqscan": "off",
    "jit": "off",
    # A stopped process must not hold its rows' locks for ever.
    "idle_in_transaction_session_timeout": "60000",
}

CLOSE_SECONDS = 1.0
"""For PostgreSQL to say goodbye. To be cut off instead loses nothing, and a service that was told to stop has about ten
seconds in all, in which a gateway closes three pools.
"""

_given_up: set["asyncio.Task[Any]"] = set()  # the event loop itself keeps no task alive


async def within(seconds: float, question: Coroutine[Any, Any, Answer]) -> Answer:
    """The answer to `question`, or a `TimeoutError` after `seconds`, whatever PostgreSQL does.

    The time for a connection counts. asyncpg's own `timeout` leaves it out, and what is cancelled by `asyncio.timeout`
    goes on until PostgreSQL has confirmed it: up to half a minute while it is frozen. So here nobody waits for that.
    """
    asking = asyncio.create_task(question)
    try:
        await asyncio.wait((asking,), timeout=seconds)
    finally:
        if not asking.done():
            _give_up(asking)
    if not asking.done():
        raise TimeoutError(f"PostgreSQL has not answered within {seconds:g} s")
    return asking.result()


def _give_up(asking: "asyncio.Task[Any]") -> None:
    def forget(ended: "asyncio.Task[Any]") -> None:
        _given_up.discard(ended)
        if not ended.cancelled():
            ended.exception()  # nobody wants to know, so that nobody is warned either

    _given_up.add(asking)
    asking.add_done_callback(forget)
    asking.cancel()


@asynccontextmanager
async def closing(pool: Pool) -> AsyncIterator[Pool]:
    """The pool, which is closed at the end: in order while PostgreSQL answers, otherwise without it."""
    try:
        yield pool
    finally:
        try:
            await within(CLOSE_SECONDS, pool.close())
        except PASSING as fault:
            log.warning("PostgreSQL does not answer: its connections are cut", fault=type(fault).__name__)
            pool.terminate()


async def connect(url: str, *, schema: str, name: str, size: int = 4, tables: Sequence[str] = ("offsets",)) -> Pool:
    """A pool whose sessions see `schema` first. Waits for PostgreSQL to answer, saying so, as long as it takes.

    Ends the process with exit code 1 when one of `tables` is not there yet: that is for people to cure.
    """
    pool = await new_pool(url, schema=schema, name=name, size=size)
    delay = 0.2
    while True:
        try:
            missing = await pool.fetchval("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL",
                                          tables)  # fmt: skip
        except PASSING as fault:
            log.warning("PostgreSQL does not answer yet", error=str(fault), next_try_in_s=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5)
        else:
            if missing is not None:
                log.critical(
                    "the schema has no tables: run `darkroom database migrate`", schema=schema, missing=missing
                )
                raise SystemExit(1)
            return pool


async def new_pool(url: str, *, schema: str, name: str, size: int = 1) -> Pool:
    """The same pool for a command that ends: connects when it is first used, and waits for nothing."""
    return await asyncpg.create_pool(
        url, min_size=0, max_size=size, command_timeout=30, timeout=10, init=_init, reset=_keep,
        server_settings=SESSION | {"search_path": schema, "application_name": name},
    )  # fmt: skip


async def _init(connection: Connection) -> None:
    # Binary, since COPY takes nothing else: a version byte, then the text.
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary",
        encoder=lambda value: b"\x01" + json.dumps(value).encode(), decoder=lambda sent: json.loads(sent[1:]),
    )  # fmt: skip


async def _keep(_: Connection) -> None:
    """Nothing to undo when a connection goes back: we never change a session. Saves a round trip each time."""
