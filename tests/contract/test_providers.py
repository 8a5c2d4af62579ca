"""One suite, run against each provider on its simulator: what the engine relies on, whoever makes the media."""

import pytest

from generator_service.providers import PROVIDERS
from tests.contract.benches import BENCHES
from tests.contract.conformance import Check, checks

CASES = [
    pytest.param(name, check, id=f"{name}-{check.__name__}")
    for name, stand in BENCHES.items()
    for check in checks(stand.troubles, stand.provider.capabilities)
]


@pytest.mark.parametrize(("name", "check"), CASES)
async def test_a_provider_keeps_the_protocol(name: str, check: Check) -> None:
    async with BENCHES[name].bench() as standing:
        await check(standing)


def test_every_provider_has_a_bench() -> None:
    assert BENCHES.keys() == PROVIDERS.keys()


@pytest.mark.parametrize("name", BENCHES)
def test_a_provider_carries_the_name_it_is_registered_under(name: str) -> None:
    assert BENCHES[name].provider.name == name
