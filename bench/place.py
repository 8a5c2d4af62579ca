"""Where a row is measured: servers in a folder of its own, and only the services it is about."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bench.running import say
from darkroom.local.postgres_place import discard
from darkroom.local.stack import Stack
from darkroom.steps import SERVICES


class NoFigureError(Exception):
    """The row could not be measured: says what happened instead."""


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """An empty folder that is removed at the end; after a failure it stays, for its logs, and is named."""
    made = Path(tempfile.mkdtemp(prefix="darkroom-bench-"))
    try:
        yield made
    except BaseException:
        say(f"the logs are in {made}")
        raise
    else:
        shutil.rmtree(made)
    finally:
        discard(made / "stack")


NOBODY_HELD_BACK = {"GATEWAY_REQUESTS_PER_MINUTE": "10000000", "GATEWAY_JOBS_QUEUED": "1000000"}
"""Requests and jobs are counted, as everywhere, but a machine is measured by what it can do."""


@asynccontextmanager
async def stack(home: Path, services: Iterable[str], told: Mapping[str, str]) -> AsyncIterator[Stack]:
    """Kafka, PostgreSQL, S3 and one of each of these services, told this and otherwise what they are told by default.

    Settings of the person who measures do not count: two machines then run the same.
    """
    if sys.platform != "linux":
        raise NoFigureError("what a process took is read from /proc: measure on Linux")
    wanted = set(services)
    replicas = {service: int(service in wanted) for service in SERVICES}
    environ = {"PATH": os.environ["PATH"], **NOBODY_HELD_BACK, **told}
    async with Stack(home / "stack", replicas=replicas, environ=environ, say=say) as running:
        yield running
