"""Ctrl-C and SIGTERM, heard as a cancellation of the work."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn

import psutil

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_WITHIN = 10.0  # seconds, the promise to people: whatever hangs then is left behind


async def until_told_to_stop(work: Coroutine[Any, Any, None], answer: Callable[[], None]) -> signal.Signals | None:
    """Do `work`; the first signal cancels it, so that it can stop in order, and a second cancels that as well.

    `answer` lets people see at once that the first was heard. Returns the signal that ended the work, or None when it
    ended by itself; what it raised escapes.
    """
    task = asyncio.ensure_future(work)
    heard: list[signal.Signals] = []
    loop = asyncio.get_running_loop()

    def hear(number: signal.Signals) -> None:
        if not heard:
            answer()
            loop.call_later(STOP_WITHIN, leave, 128 + number)
        heard.append(number)
        task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, hear, number)
    try:
        await task
    except asyncio.CancelledError:
        if not heard:
            raise
    return heard[0] if heard else None


def leave(code: int) -> NoReturn:
    """End this process now, and what it still runs: a download in a thread would keep it for a long time."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(code)
