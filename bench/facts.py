"""Says facts as a stage before ours would, and hears what our stage says."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.place import NoFigureError
from schemas.events import Event
from schemas.identity import PARTITIONS
from schemas.wire import Position, decode, encode
from stage.kafka import producer, publish
from stage.settings import KafkaSettings

PATIENCE = 60.0
"""Seconds without any fact after which a stage is taken to be stuck."""


class Log:
    """Kafka as a bench uses it: what it hears begins when it is opened."""

    def __init__(self, told: AIOKafkaProducer, heard: AIOKafkaConsumer) -> None:
        self.producer, self._consumer = told, heard

    @classmethod
    @asynccontextmanager
    async def open(cls, environ: Mapping[str, str], *facts: type[Event]) -> AsyncIterator["Log"]:
        """Say anything, and hear these kinds of facts."""
        access = KafkaSettings.model_validate(environ)
        consumer = AIOKafkaConsumer(**access.kafka_client_options())
        async with producer(access, "bench") as told, consumer as heard:
            places = [TopicPartition(fact.topic, number) for fact in facts for number in range(PARTITIONS)]
            heard.assign(places)
            await heard.seek_to_end(*places)
            for place in places:
                await heard.position(place)  # it seeks only when it is asked
            yield cls(told, heard)

    async def say(self, facts: Iterable[Event]) -> None:
        """Return once Kafka has them all."""
        await publish(self.producer, [encode(fact, source="bench") for fact in facts])

    async def hear(self) -> AsyncIterator[Event]:
        """Each fact as it comes, for ever. `NoFigureError` when none has come for `PATIENCE` seconds."""
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + PATIENCE
        while loop.time() < patient_until:
            for records in (await self._consumer.getmany(timeout_ms=1_000)).values():
                patient_until = loop.time() + PATIENCE
                for record in records:
                    where = Position(record.topic, record.partition, record.offset)
                    yield decode(where, record.key, record.value, record.headers)
        raise NoFigureError(f"nothing was said for {PATIENCE:.0f} s: see the service's log")
