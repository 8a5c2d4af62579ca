"""Questions that come while others are being answered are asked together: what one statement costs, they share."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from itertools import islice
from typing import Any, Generic, TypeVar

from stage.database import within

Key = TypeVar("Key")
Found = TypeVar("Found")

SIDE_BY_SIDE = 2
"""Statements at a time: while PostgreSQL works on one, the answer to another is read."""
MOST = 100
"""Questions of a statement, so that none holds up the event loop for long."""


class Gathered(Generic[Key, Found]):
    """Asks for many things at once what callers want one by one.

    Every answer is read by a statement that began after its question came, so a caller never sees less than what was
    there when it asked. A caller who finds nobody before it asks for itself, at once.
    """

    def __init__(self, find: Callable[[list[Key]], Coroutine[Any, Any, Mapping[Key, Found]]], patience: float) -> None:
        """`find` looks for many and leaves out what is not there. No caller waits longer than `patience` seconds."""
        self._find, self._patience = find, patience
        self._asked: dict[Key, asyncio.Future[Found | None]] = {}
        self._statements = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop itself keeps none alive

    async def find(self, key: Key) -> Found | None:
        """What there is under `key`, or None. Raises `TimeoutError`, or what the statement raised."""
        if not self._statements:
            self._statements += 1
            try:
                return (await within(self._patience, self._find([key]))).get(key)
            finally:
                self._statements -= 1
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            if self._statements < SIDE_BY_SIDE:
                self._statements += 1
                asking = asyncio.create_task(self._ask())
                self._tasks.add(asking)
                asking.add_done_callback(self._tasks.discard)
        await asyncio.wait((answer,), timeout=self._patience)  # a caller who goes away takes nobody's answer along
        if not answer.done():
            raise TimeoutError(f"PostgreSQL has not answered within {self._patience:g} s")
        return answer.result()

    async def _ask(self) -> None:
        """Until nobody asks any more. Whoever asks after that finds one statement less, and begins anew."""
        try:
            while self._asked:
                await self._answer({key: self._asked.pop(key) for key in list(islice(self._asked, MOST))})
        finally:
            self._statements -= 1

    async def _answer(self, asked: "Mapping[Key, asyncio.Future[Found | None]]") -> None:
        try:
            found = await within(self._patience, self._find(list(asked)))
        except Exception as fault:  # noqa: BLE001 - whoever asked is told
            for answer in asked.values():
                answer.set_exception(fault)
                answer.exception()  # who asked may have gone, and then nobody is to be warned
        else:
            for key, answer in asked.items():
                answer.set_result(found.get(key))
