"""Nothing is paid twice, whatever dies. The long form: `make chaos`."""

from darkroom.local.stack import Stack
from tests.chaos.spend import Plan, spend


async def test_nothing_is_paid_twice_under_kills_pauses_replays_and_lost_answers(servers: Stack) -> None:
    tally, wrong = await spend(servers, Plan(seed=1, kills=6))

    assert wrong == [], tally
