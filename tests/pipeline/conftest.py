"""The running system, for tests that look at it from outside."""

from collections.abc import AsyncIterator

import pytest

from darkroom.local.stack import Stack
from tests.pipeline.driver import Pipeline


@pytest.fixture
async def pipeline(stack: Stack) -> AsyncIterator[Pipeline]:
    """The whole system, reached anew by each test."""
    async with Pipeline.reach(stack) as pipeline:
        yield pipeline
