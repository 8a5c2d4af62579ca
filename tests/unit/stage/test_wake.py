"""A wake-up inside one process."""

import asyncio

from stage.wake import Wake


async def test_a_wake_up_ends_the_wait() -> None:
    wake = Wake()
    asyncio.get_running_loop().call_later(0.01, wake)

    async with asyncio.timeout(1):
        await wake.wait(60)


async def test_a_wake_up_before_the_wait_counts() -> None:
    wake = Wake()
    wake()

    async with asyncio.timeout(1):
        await wake.wait(60)


async def test_many_wake_ups_before_the_wait_count_as_one() -> None:
    wake = Wake()
    wake()
    wake()
    await wake.wait(60)
    started = asyncio.get_running_loop().time()

    await wake.wait(0.05)

    assert asyncio.get_running_loop().time() - started >= 0.04


async def test_without_a_wake_up_the_wait_ends_by_itself() -> None:
    async with asyncio.timeout(1):
        await Wake().wait(0.01)
