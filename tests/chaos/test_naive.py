"""The harness can see the fault. The long form: `make chaos NAIVE=1`."""

from darkroom.local.stack import Stack
from tests.chaos.points import Point
from tests.chaos.spend import Plan, spend


async def test_a_naive_handler_killed_before_its_commit_pays_twice_and_is_caught(servers: Stack) -> None:
    tally, _ = await spend(servers, Plan(seed=2, kills=1, naive=True, points=[Point.HANDLED]))

    assert tally.doubly_paid > 0
