"""A stage's standing parts, made and joined the same way in every service: database, Kafka, outbox, watchdog."""

import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr
from starlette.routing import BaseRoute

from stage import database, kafka
from stage.consume import Consumer, Reader
from stage.database import Pool
from stage.heard import Handler
from stage.kafka import LogEnds
from stage.outbox import Relay
from stage.service import Loop, health_app, serve
from stage.settings import StageSettings
from stage.telemetry import configure_logging
from stage.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class Stage:
    """What a service stands on."""

    name: str
    instance: str
    settings: StageSettings
    pool: Pool
    relay: Relay
    ends: LogEnds

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, schema: str, settings: StageSettings, url: SecretStr) -> AsyncIterator["Stage"]:
        """Connect to PostgreSQL and Kafka, waiting for them as long as it takes, and close both at the end.

        A frozen PostgreSQL is left behind then.
        """
        instance = settings.service_instance or f"{name}-{socket.gethostname()}-{os.getpid()}"
        configure_logging(name, instance, settings.log_level, settings.log_format)
        pool = await database.connect(url.get_secret_value(), schema=schema, name=instance)
        async with (
            database.closing(pool), kafka.producer(settings, instance) as producer, LogEnds(settings, instance) as ends,
        ):  # fmt: skip
            yield cls(name, instance, settings, pool, Relay(pool, producer), ends)

    async def serve(
        self, *, topics: Sequence[str], handle: Handler, heard: Callable[[], None],
        loops: Sequence[Loop], port: int, routes: Sequence[BaseRoute] = (), lanes: int = 1,
    ) -> int:  # fmt: skip
        """Hear `topics` and run `loops` until SIGTERM. Returns the exit code."""

        def wake_all() -> None:
            heard()
            self.relay.wake()

        reader = Reader(self.name, self.settings.service_instance, self.settings, topics)
        consumer = Consumer(reader, self.pool, self.ends, handle=handle, heard=wake_all, lanes=lanes)

        async def database_answers() -> None:
            await self.pool.fetchval("SELECT 1")

        async def kafka_answers() -> None:
            if not consumer.following:
                raise ConnectionError("no partitions are assigned yet")

        app = health_app({"postgres": database_answers, "kafka": kafka_answers}, routes)
        watchdog = Watchdog(consumer, self.ends)
        everything = [consumer.run, self.relay.run, watchdog.run, *loops]
        return await serve(self.name, app, self.settings.host, port, everything)
