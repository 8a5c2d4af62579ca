"""One of the processes of `workers`: `python -m ledger_service.folding`, told over stdin what to do."""

import asyncio
import os
import pickle
import sys
import threading
import traceback
from typing import NoReturn

import uvloop

from ledger_service.filling import Filling, Tell
from ledger_service.log import Log
from ledger_service.tables import SCHEMA
from ledger_service.workers import Work, message
from stage.database import new_pool

NAME = "darkroom-ledger"
"""Of the client that reads, and with the process id of the session that writes."""


def main() -> NoReturn:
    """Fold partition numbers until none is left, and end with 0. Ends with 1 after it has said what failed."""
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # only messages may go where they are read

    def tell(told: int | Exception) -> None:
        out.write(message(told))
        out.flush()

    work = pickle.load(sys.stdin.buffer)  # noqa: S301 - whoever started us wrote it
    threading.Thread(target=_end_with_our_parent, daemon=True).start()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_fold(work, tell))
    except Exception as fault:  # noqa: BLE001 - whatever it is, the command says it and ends
        fault.add_note(traceback.format_exc())  # which does not travel by itself
        tell(fault)
        raise SystemExit(1) from None
    raise SystemExit(0)


async def _fold(work: Work, tell: Tell) -> None:
    name = f"{NAME}-{os.getpid()}"
    async with (
        Log.open(work.kafka, NAME) as log,
        await new_pool(work.database_url, schema=SCHEMA, name=name) as pool,
        pool.acquire() as connection,
    ):
        await connection.execute("SET statement_timeout = 0")
        await Filling(connection, log, work.limit).fill(work.ends, work.left(), tell)


def _end_with_our_parent() -> None:
    """Stop at once when stdin ends, however the parent died. What was not committed is rolled back."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
