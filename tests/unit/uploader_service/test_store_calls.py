"""What a request to the store that got no answer becomes."""

import asyncio

import aiohttp
import pytest

from uploader_service.store_calls import StoreFault, once

CONNECTION = aiohttp.ConnectionTimeoutError("Connection timeout to host http://store.example/media/a?X-Amz-Signature=b")


@pytest.mark.parametrize(
    "broken",
    [CONNECTION, aiohttp.SocketTimeoutError(), aiohttp.ServerDisconnectedError(), ConnectionResetError()],
    ids=lambda broken: type(broken).__name__,
)
async def test_a_connection_that_fails_may_well_work_in_a_moment(broken: Exception) -> None:
    async def ask() -> None:
        raise broken

    with pytest.raises(StoreFault) as fault:
        await once(ask, 10)

    assert str(fault.value) == f"the store did not answer: {type(broken).__name__}"
    assert fault.value.at_once


async def test_our_own_deadline_is_no_reason_to_ask_again_at_once() -> None:
    with pytest.raises(StoreFault, match="did not answer within") as fault:
        await once(asyncio.Event().wait, 0.01)

    assert not fault.value.at_once
