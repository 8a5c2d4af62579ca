"""What one round trip to each server costs, one at a time: the sum that no latency can be under."""

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING

import aiohttp
import asyncpg
from aiokafka import AIOKafkaProducer

from bench.report import Figure
from schemas.topics import DEAD_LETTERS

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

TRIPS = 100
_UNCOUNTED = 10  # that open connections and warm things up

Trip = Callable[[int], Awaitable[object]]


async def hops(
    environ: Mapping[str, str], *, client: "S3Client", producer: AIOKafkaProducer, url: str, content: bytes
) -> list[Figure]:
    """Fetch `url`, PUT `content`, ask PostgreSQL, commit there, have Kafka acknowledge a record."""
    bucket = environ["S3_BUCKET_NAME"]
    database = await asyncpg.connect(environ["UPLOADER_DATABASE_URL"])
    async with aiohttp.ClientSession() as web:

        async def fetch(_: int) -> None:
            async with web.get(url) as answer:
                await answer.read()

        trips: dict[str, Trip] = {
            "fetch": fetch,
            "PUT": lambda n: client.put_object(Bucket=bucket, Key=f"bench/{n}.jpg", Body=content),
            "select": lambda _: database.fetchval("SELECT 1"),
            # Written to the log and flushed at the commit, like any row, and read by nobody.
            "commit": lambda _: database.fetchval("SELECT pg_logical_emit_message(true, 'bench', '')"),
            # Nobody reads this topic while a bench runs, and its settings are those of any other.
            "produce": lambda _: producer.send_and_wait(DEAD_LETTERS, b"bench"),
        }
        try:
            return [Figure(f"round trip: {name}", "ms", await _times(trip)) for name, trip in trips.items()]
        finally:
            await database.close()


async def _times(trip: Trip) -> list[float]:
    """Milliseconds of each, one after the other."""
    times = []
    for number in range(_UNCOUNTED + TRIPS):
        began = perf_counter()
        await trip(number)
        times.append(1_000 * (perf_counter() - began))
    return times[_UNCOUNTED:]
