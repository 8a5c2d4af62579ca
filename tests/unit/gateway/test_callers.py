"""A gateway without keys lets everybody in who is on this machine, and no page that only pretends to be."""

import pytest

from gateway.callers import OpenDoor
from tests.builders import JOB
from tests.fakes import Views
from tests.unit.gateway.http import calling
from tests.unit.gateway.test_control import PARTIAL


async def asked_at(host: str, path: str, *named: str) -> tuple[int, str]:
    """The status and the kind of the answer to a request that calls us so."""
    async with calling(views=Views(PARTIAL), door=OpenDoor(named)) as client:
        answer = await client.get(path, headers={"Host": host})
    return answer.status_code, answer.json().get("type", "")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "127.8.0.1", "[::1]:8000", "[::1]"]
)
async def test_open_doors_let_in_who_calls_this_machine_by_its_own_name(host: str) -> None:
    assert (await asked_at(host, f"/api/v1/status/{JOB}"))[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example:8000", "localhost.evil.example", "evil.example#localhost", "127.0.0.1.evil.example", "192.168.1.5",
     "[::2]", "[", "", "gateway:8000"],
)  # fmt: skip
async def test_open_doors_are_shut_for_a_page_that_gives_this_machine_a_name_of_its_own(host: str) -> None:
    assert await asked_at(host, f"/api/v1/status/{JOB}") == (403, "urn:darkroom:problem:host-not-allowed")


async def test_a_host_that_somebody_named_is_let_in() -> None:
    assert (await asked_at("Gateway:8000", f"/api/v1/status/{JOB}", "gateway"))[0] == 200


async def test_health_is_told_under_every_name() -> None:
    assert (await asked_at("evil.example", "/health"))[0] == 200
