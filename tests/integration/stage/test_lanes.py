"""A large batch in two transactions: on a real PostgreSQL."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from darkroom.local.stack import Stack
from schemas.identity import partition_of
from schemas.wire import encode
from stage import offsets
from stage.consume import Consumer, Reader
from stage.database import Connection, new_pool
from stage.heard import Heard
from stage.lanes import LEAST
from stage.settings import KafkaSettings
from tests.builders import a_request

TOPIC = a_request().topic
NO_ENDS: Any = None  # nobody asks where the log ends


async def test_a_lane_that_fails_keeps_nothing_and_costs_the_other_nothing(servers: Stack) -> None:
    async def handle(connection: Connection, heard: Sequence[Heard]) -> None:
        started.append(heard[0].position.partition)
        if heard[0].position.partition == 1:
            raise asyncpg.SerializationError("lost a race")

    started: list[int] = []
    places = {(TOPIC, 0): 0, (TOPIC, 1): 0}
    async with await new_pool(servers.environ["LEDGER_DATABASE_URL"], schema="ledger", name="test", size=2) as pool:
        await pool.execute("TRUNCATE offsets")
        async with pool.acquire() as connection:
            await offsets.begin(connection, places, "a cluster")
        reader = Reader("test", "", KafkaSettings.model_validate(servers.environ), [TOPIC])
        consumer = Consumer(reader, pool, NO_ENDS, handle=handle, heard=lambda: None, lanes=2)
        consumer.following.update(places)
        with pytest.raises(asyncpg.SerializationError):
            await consumer._take_all(a_batch())  # its caller would wait, and read again
        async with pool.acquire() as connection:
            stored = await offsets.stored(connection, places)

    assert sorted(started) == [0, 1]
    assert stored == {(TOPIC, 0): (LEAST, "a cluster"), (TOPIC, 1): (0, "a cluster")}


def a_batch() -> list[Any]:
    """Requests of two partition numbers, enough of each for a lane."""
    return [
        SimpleNamespace(topic=TOPIC, partition=number, offset=offset, key=said.key, value=said.value, headers=())
        for number in (0, 1) for offset in range(LEAST)
        for said in [encode(a_request(job_id=a_job_of(number)), source="test")]
    ]  # fmt: skip


def a_job_of(number: int) -> UUID:
    """A job whose facts have this partition number."""
    return next(job for job in iter(uuid4, None) if partition_of(str(job).encode()) == number)
