"""Kafka, PostgreSQL and S3 under the supervisor, for real."""

from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from darkroom.local.part import LocalError
from darkroom.local.stack import Stack
from darkroom.local.state import State

SERVERS = ("kafka", "postgres", "s3")


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with Stack(tmp_path / "home", services=False) as stack:
        yield stack


async def test_all_three_come_back_after_a_kill_and_all_is_gone_after_the_stop(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home", services=False) as stack:
        before = {name: stack.describe(name) for name in SERVERS}

        for name in SERVERS:
            await stack.kill(name)
            await stack.start(name)

        after = {name: stack.describe(name) for name in SERVERS}

    assert all(part.state is State.READY and part.restarts == 1 for part in after.values())
    assert {name: part.url for name, part in after.items()} == {name: part.url for name, part in before.items()}
    assert not any(psutil.pid_exists(part.pid or 0) for part in (*before.values(), *after.values()) if part.pid)


async def test_what_is_prepared_may_be_prepared_again_and_survives_a_run(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home", services=False) as first:
        await first.prepare()
    async with Stack(tmp_path / "home", services=False) as second:
        await second.prepare()

        assert second.environ["LEDGER_DATABASE_URL"] == first.environ["LEDGER_DATABASE_URL"]
        assert second.ports == first.ports


async def test_a_part_nobody_has_heard_of_is_named(stack: Stack) -> None:
    with pytest.raises(LocalError, match="there is no part named painter: choose one of kafka, postgres, s3"):
        stack.url("painter")
