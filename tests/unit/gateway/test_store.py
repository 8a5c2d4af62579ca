"""Whoever reads a job waits for a turn."""

import asyncio
from typing import Any

from gateway.store import Store
from tests.builders import JOB


class Busy:
    """A pool of two connections, and who was read in which order. Fails when more are asked for at once."""

    def __init__(self) -> None:
        self.free, self.order = 2, list[str]()

    def get_max_size(self) -> int:
        return 2

    async def fetchrow(self, _: str, __: Any, tenant: str) -> None:
        assert self.free, "somebody waits in the pool, where others overtake"
        self.free -= 1
        await asyncio.sleep(0)
        self.order.append(tenant)
        self.free += 1


async def test_jobs_are_read_in_the_order_in_which_they_were_asked_for() -> None:
    pool: Any = Busy()
    store = Store(pool)

    await asyncio.gather(*(store.job(JOB, str(number)) for number in range(9)))

    assert pool.order == [str(number) for number in range(9)]
