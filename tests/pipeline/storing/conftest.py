"""One system for all tests of this folder: what they break, they mend."""

from collections.abc import AsyncIterator

import pytest

from darkroom.local.postgres_place import discard
from darkroom.local.stack import Stack
from tests.conftest import IN_CONTAINERS, QUICK
from tests.pipeline.storing.site import Site, site


@pytest.fixture(scope="package")
async def whole_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Servers and services of this folder's own, but for the uploaders."""
    if IN_CONTAINERS:
        pytest.skip("these tests stop the store, which only local servers allow")
    home = tmp_path_factory.mktemp("storing")
    async with Stack(home, services=False, environ=QUICK) as servers:
        await servers.prepare()
        async with site(servers) as here:
            yield here
    discard(home)


@pytest.fixture
async def here(whole_site: Site) -> AsyncIterator[Site]:
    """The system, with nothing wrong before and after the test."""
    yield whole_site
    await whole_site.mend()
