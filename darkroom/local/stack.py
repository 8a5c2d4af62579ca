"""Kafka, PostgreSQL, S3 and the services in one home: for `darkroom up`, the demo, and tests of the whole system."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

from darkroom.local.home import password, sole_supervisor
from darkroom.local.kafka import kafka_part
from darkroom.local.keeper import Keeper
from darkroom.local.known_ports import claim_ports
from darkroom.local.part import Part
from darkroom.local.postgres import admin_url, postgres_part
from darkroom.local.processes import end_leftovers
from darkroom.local.s3 import s3_part
from darkroom.local.services import (
    ACCESS_KEY,
    DEFAULTS,
    callbacks,
    connections,
    full_name,
    instances,
    media_hosts,
    service_part,
)
from darkroom.local.state import PartState, read_state
from darkroom.local.supervisor import Supervisor
from darkroom.steps import ADMIN_DATABASE, SERVICES, apply_topics, create_bucket, prepare_everything, prepare_tables

Step = Callable[[Mapping[str, str]], Awaitable[None]]  # a one-shot step, told by the environment

SERVER_LAYER, SERVICE_LAYER = 0, 1
SERVER_PORTS = ("kafka", "kafka-controller", "postgres", "s3")


def silent(line: str) -> None:
    """The `say` of who does not want to know."""


class Stack:
    """The local stack of one home, running inside `async with`; its data and ports outlive it.

    `environ` is what any process of the system must be told to work with it. Everything is stopped at the end, however
    that comes. `LocalError` escapes from the start when something cannot run, and nothing is left running.
    Without `servers` only the services run, against the servers that `environ` names.
    """

    def __init__(
        self,
        home: Path,
        *,
        servers: bool = True,
        services: bool = True,
        replicas: Mapping[str, int] | None = None,
        ports: Mapping[str, int] | None = None,
        environ: Mapping[str, str] | None = None,
        say: Callable[[str], None] = silent,
    ) -> None:
        self.home = home.absolute()
        self.environ = {**DEFAULTS, **(os.environ if environ is None else environ)}
        self.ports = dict(ports or {})  # the wanted ones; all of them once it runs
        self._servers, self._services = servers, services
        self._instances = instances(replicas or {})
        self._say = say
        self._supervisor = Supervisor(self.home, say)
        self._lock = ExitStack()

    async def __aenter__(self) -> Self:
        self._lock.enter_context(sole_supervisor(self.home))
        try:
            await self._end_leftovers()
            wanted = (*SERVER_PORTS, *self._instances) if self._servers else tuple(self._instances)
            self.ports = claim_ports(self.home, wanted, self.ports)
            if self._servers:
                await self._start_servers()
            self.environ |= media_hosts(self.ports, self.environ)
            self.environ.setdefault("UPLOADER_SPOOL_DIR", str(self.home / "spool"))  # it outlives a restart
            if self._services:
                await self.start_services()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._close()

    async def prepare(self) -> None:
        """Bring databases, topics and bucket to what the services expect. A repeat changes nothing."""
        await prepare_everything(self.environ)

    async def start_services(self) -> None:
        """Start every replica, and return when all are ready."""
        if "gateway" in self.ports:
            self.environ |= callbacks(self.ports, password(self.home, "callbacks"), self.environ)
        await _together(
            *(
                self._supervisor.start(service_part(name, service, self.ports[name], self.environ), SERVICE_LAYER)
                for name, service in self._instances.items()
            )
        )

    def url(self, name: str) -> str:
        """Where a part is reached. `generator` means the first of them, here and below."""
        return self._keeper(name).part.url

    def urls(self) -> dict[str, str]:
        """Where every part is reached, by name."""
        return {part.name: part.url for part in self._supervisor.parts()}

    def describe(self, name: str) -> PartState:
        """The part as `darkroom ps` shows it."""
        return self._keeper(name).describe()

    async def start(self, name: str) -> None:
        """Return when the part is ready: at once, after its restart under way, or after starting it."""
        await self._keeper(name).start()

    async def stop(self, name: str, *, patience: float = 5.0) -> None:
        """Stop one part as a person would, and keep it stopped."""
        await self._keeper(name).stop(patience)

    async def restart(self, name: str) -> None:
        """Stop one part, start it again, and return when it is ready."""
        await self.stop(name)
        await self.start(name)

    async def kill(self, name: str, *, revive: bool = True) -> None:
        """End a part with SIGKILL. The supervisor brings it back after its backoff, unless `revive` is false."""
        await self._keeper(name).kill(revive=revive)

    async def _end_leftovers(self) -> None:
        """End what a killed run left, before anything needs its ports and data."""
        if before := read_state(self.home):
            ended = await asyncio.to_thread(end_leftovers, before.parts)
            if ended:
                self._say(f"ended what a killed run had left: {', '.join(part.name for part in ended)}")

    async def _start_servers(self) -> None:
        """Start all three side by side, each as soon as its own preparations are done, and fill it for the services."""
        home, port, environ, say = self.home, self.ports, self.environ, self._say
        passwords = {name: password(home, name) for name in (*SERVICES, "s3")}
        environ |= connections(port, passwords)

        def postgres() -> Part:
            part = postgres_part(home, port["postgres"], environ, say)
            environ[ADMIN_DATABASE] = admin_url(home, port["postgres"])  # the launcher has made the password
            return part

        kafka = partial(kafka_part, home, port["kafka"], port["kafka-controller"], environ, say)
        s3 = partial(s3_part, home, port["s3"], ACCESS_KEY, passwords["s3"], environ)
        await _together(
            self._start_server(kafka, apply_topics),
            self._start_server(postgres, prepare_tables),
            self._start_server(s3, create_bucket),
        )

    async def _start_server(self, launch: Callable[[], Part], fill: Step) -> None:
        await self._supervisor.start(await asyncio.to_thread(launch), SERVER_LAYER)
        if self._services:
            await fill(self.environ)

    async def _close(self) -> None:
        with self._lock:
            await self._supervisor.stop()

    def _keeper(self, name: str) -> Keeper:
        return self._supervisor.keeper(full_name(name))


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """Do it all side by side. The first to fail ends the others, and its own exception escapes."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
