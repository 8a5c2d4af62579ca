"""Notices a consumer that stopped without saying so, and ends the process: a supervisor starts it again."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stage.consume import Consumer
from stage.kafka import LogEnds
from stage.telemetry import get_logger

log = get_logger(__name__)

LOOK_EVERY = 15.0
PATIENCE = 60.0


class ConsumerStuckError(Exception):
    """There are records to read, nothing is wrong, and yet none has been read for a minute."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a consumer shows."""

    lag: int
    batches: int
    excused: bool


def idle_since(before: Look | None, now: Look, since: float, at: float) -> float:
    """Since when the consumer has had work and done none, in the same seconds as `at`; `at` when that is not so."""
    idle = before is not None and now.lag > 0 and not now.excused and now.batches == before.batches
    return since if idle else at


class Watchdog:
    """Looks at a consumer every 15 s."""

    def __init__(self, consumer: Consumer, ends: LogEnds) -> None:
        self._consumer, self._ends = consumer, ends
        self.lag = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Watch until `stopping`. Raises `ConsumerStuckError` after a minute without progress or excuse."""
        clock = asyncio.get_running_loop().time
        before, since = None, clock()
        while not stopping.is_set():
            now = await self._look()
            since = idle_since(before, now, since, clock())
            if clock() - since > PATIENCE:
                raise ConsumerStuckError(f"{now.lag} records wait and none was read for {PATIENCE:.0f} s")
            before = now
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await stopping.wait()

    async def _look(self) -> Look:
        following = dict(self._consumer.following)
        excused = self._consumer.busy or self._consumer.faulty
        try:
            async with asyncio.timeout(10):
                ends = await self._ends.ends(TopicPartition(*place) for place in following) if following else {}
        except (KafkaError, TimeoutError) as fault:
            log.warning("Kafka does not answer", error=type(fault).__name__)
            return Look(0, self._consumer.batches, excused=True)
        self.lag = sum(max(0, end - following[place]) for place, end in ends.items())
        return Look(self.lag, self._consumer.batches, excused)
