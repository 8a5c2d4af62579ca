"""The real servers and services, started once for the whole run by the suite itself."""

import os
from collections.abc import AsyncIterator

import pytest

from darkroom.local.postgres_place import discard
from darkroom.local.stack import Stack
from tests.containers import servers_in_containers

IN_CONTAINERS = os.environ.get("TEST_BACKEND") == "containers"

QUICK = {
    "PATH": os.environ["PATH"],
    # Retries soon, so that a test sees several.
    "INITIAL_RETRY_DELAY": "0.2",
    "MAX_RETRY_DELAY": "2",
    "GATEWAY_PUBLISH_TIMEOUT": "3",
    # With delays this short, the usual number would be used up while a killed generator, which serves what the fake
    # provider made, is started again.
    "UPLOADER_MAX_ATTEMPTS": "60",
}


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Kafka, PostgreSQL, S3, and every service, two of those that work on rows."""
    home = tmp_path_factory.mktemp("stack")
    replicas = {"generator": 2, "uploader": 2}
    if IN_CONTAINERS:
        async with servers_in_containers() as addresses:
            environ = QUICK | addresses
            async with Stack(home, servers=False, services=False, replicas=replicas, environ=environ) as stack:
                await stack.prepare()
                await stack.start_services()
                yield stack
        return
    async with Stack(home, replicas=replicas, environ=QUICK) as stack:
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
