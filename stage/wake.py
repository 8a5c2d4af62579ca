"""A wake-up inside one process. Polling is the fallback for what other processes write."""

import asyncio
from contextlib import suppress


class Wake:
    """Lets a loop sleep until there is something to do."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        """There is something to do. Calls before the next `wait` count as one."""
        self._event.set()

    async def wait(self, at_most: float) -> None:
        """Return at a wake-up, past ones included, or after `at_most` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._event.wait()
        self._event.clear()
