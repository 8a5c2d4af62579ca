"""One suite, run against each provider on its simulator: what the engine relies on, whoever makes the media."""

import pytest

from generator_service.providers import PROVIDERS
from tests.contract.benches import BENCHES, CogBench, FakeBench, ReplicateBench
from tests.contract.conformance import Check, checks

TROUBLES = {"fake": FakeBench.troubles, "replicate": ReplicateBench.troubles, "cog": CogBench.troubles}
CASES = [
    pytest.param(name, check, id=f"{name}-{check.__name__}")
    for name, (_, provider) in BENCHES.items()
    for check in checks(TROUBLES[name], provider.capabilities)
]


@pytest.mark.parametrize(("name", "check"), CASES)
async def test_a_provider_keeps_the_protocol(name: str, check: Check) -> None:
    bench, _ = BENCHES[name]

    async with bench() as standing:
        await check(standing)


def test_every_provider_has_a_bench() -> None:
    assert BENCHES.keys() == PROVIDERS.keys()


@pytest.mark.parametrize("name", BENCHES)
def test_a_provider_carries_the_name_it_is_registered_under(name: str) -> None:
    assert BENCHES[name][1].name == name
