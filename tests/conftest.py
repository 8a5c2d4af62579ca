"""The real servers and services, started once for the whole run by the suite itself."""

import os
from collections.abc import AsyncIterator

import pytest

from darkroom.local.postgres_place import discard
from darkroom.local.stack import Stack
from darkroom.simulators import ReplicateSimulator
from tests.containers import servers_in_containers

IN_CONTAINERS = os.environ.get("TEST_BACKEND") == "containers"

QUICK = {
    "PATH": os.environ["PATH"],
    # These models cost money: a simulated Replicate makes them.
    "GENERATOR_ROUTES": "black-forest-labs/*=replicate",
    "REPLICATE_API_TOKEN": "r8_made_up",
    "GENERATOR_CALLS_A_DAY": "replicate=100000",
    # Retries soon, so that a test sees several.
    "INITIAL_RETRY_DELAY": "0.2",
    "MAX_RETRY_DELAY": "2",
    "GATEWAY_PUBLISH_TIMEOUT": "3",
    # Tests ask as fast as they can, all as one tenant: they are counted, and let in.
    "GATEWAY_REQUESTS_PER_MINUTE": "1000000",
    # With delays this short, the usual number would be used up while a killed generator, which serves what the fake
    # provider made, is started again.
    "UPLOADER_MAX_ATTEMPTS": "60",
}


@pytest.fixture(scope="session")
async def replicate() -> AsyncIterator[ReplicateSimulator]:
    """The Replicate that the services of `stack` know: it makes `black-forest-labs/…`, signs, calls back, and bills."""
    async with ReplicateSimulator(picture_side=16, queue_seconds=0.05, run_seconds=0.05) as simulator:
        yield simulator


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory, replicate: ReplicateSimulator) -> AsyncIterator[Stack]:
    """Kafka, PostgreSQL, S3, and every service, two of those that work on rows."""
    home = tmp_path_factory.mktemp("stack")
    environ = QUICK | {
        "REPLICATE_BASE_URL": replicate.url,
        "REPLICATE_WEBHOOK_SECRET": replicate.webhook_secret,
        "UPLOADER_ALLOWED_PRIVATE": replicate.url.removeprefix("http://"),
    }
    replicas = {"generator": 2, "uploader": 2}
    if IN_CONTAINERS:
        async with servers_in_containers() as addresses:
            told = environ | addresses
            async with Stack(home, servers=False, services=False, replicas=replicas, environ=told) as stack:
                await stack.prepare()
                await stack.start_services()
                yield stack
        return
    async with Stack(home, replicas=replicas, environ=environ) as stack:
        yield stack
    discard(home)


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Servers of a module's own, with tables, topics and bucket but no services: for tests that spoil the log."""
    if IN_CONTAINERS:
        pytest.skip("these tests stop and spoil the servers, which only local ones allow")
    home = tmp_path_factory.mktemp("servers")
    async with Stack(home, services=False, environ=QUICK) as stack:
        await stack.prepare()
        yield stack
    discard(home)


@pytest.fixture
def local_servers_only() -> None:
    """For tests that stop a server under the running services."""
    if IN_CONTAINERS:
        pytest.skip("this test stops a server, which only local ones allow")
