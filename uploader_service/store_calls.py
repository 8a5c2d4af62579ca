"""One request to the store: under our own deadline, tried again at once where that helps, its faults named."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
from aiobotocore.httpsession import HTTPClientError
from botocore.exceptions import BotoCoreError, ClientError

T = TypeVar("T")

QUICK_TRIES = 3
"""Tries of one request: rclone answers 500 to several first PUTs into a folder that is being made."""
SLOWEST = 512 * 1024
"""Bytes a second that a request may count on beside the store timeout."""
PASSES_AT_ONCE = {"BadDigest", "ConditionalRequestConflict", "InternalError", "OperationAborted", "RequestTimeout"}
BREAKS = (BotoCoreError, HTTPClientError, aiohttp.ClientError)
"""What a client raises when there is no answer. Some are a TimeoutError too: the client's own, not our deadline."""


class StoreFault(Exception):
    """The store refused, or did not answer in time. `at_once`: the same request may well work in a moment."""

    def __init__(self, message: str, *, code: str = "", status: int = 0, at_once: bool = False) -> None:
        super().__init__(message)
        self.code, self.status, self.at_once = code, status, at_once

    @property
    def absent(self) -> bool:
        """Whether the answer was that there is no such object, rather than no such bucket."""
        return self.status == 404 and self.code != "NoSuchBucket"


async def once(ask: Callable[[], Awaitable[T]], seconds: float) -> T:
    """The answer, or a `StoreFault`."""
    try:
        async with asyncio.timeout(seconds):
            return await ask()
    except ClientError as refused:
        raise _refusal(refused) from None
    except BREAKS as broken:
        raise _broken(broken) from None
    except TimeoutError:
        raise StoreFault(f"the store did not answer within {seconds:.1f} s") from None
    except OSError as broken:  # never around a landing: disks raise it as well
        raise _broken(broken) from None


async def with_quick_tries(attempt: Callable[[], Awaitable[T]]) -> T:
    """What `attempt` gives, tried again in a moment after a fault that may have passed by then."""
    for quick_try in range(QUICK_TRIES - 1):
        try:
            return await attempt()
        except StoreFault as fault:
            if not fault.at_once:
                raise
        await asyncio.sleep(0.02 * 3**quick_try)
    return await attempt()


def seconds_for(size: int, base: float) -> float:
    """The time that a request with this many bytes may take."""
    return base + size / SLOWEST


def _broken(broken: Exception) -> StoreFault:
    return StoreFault(f"the store did not answer: {type(broken).__name__}", at_once=True)


def _refusal(refused: ClientError) -> StoreFault:
    code = str(refused.response.get("Error", {}).get("Code", ""))
    status = int(refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    at_once = code in PASSES_AT_ONCE or status in (500, 502, 504)
    return StoreFault(f"the store answered {code or status}"[:200], code=code, status=status, at_once=at_once)
