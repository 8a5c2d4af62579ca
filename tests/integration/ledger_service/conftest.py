"""A ledger that reads as far as a test says."""

from collections.abc import AsyncIterator

import pytest

from darkroom.local.stack import Stack
from tests.integration.ledger_service.small_ledger import JOBS, SmallLedger, all_sorts_of_jobs


@pytest.fixture
async def ledger(servers: Stack) -> AsyncIterator[SmallLedger]:
    """An empty ledger before what the tests before it have said, and this one's jobs."""
    async with SmallLedger.open(servers) as ledger:
        await ledger.say(*all_sorts_of_jobs(JOBS))
        yield ledger
