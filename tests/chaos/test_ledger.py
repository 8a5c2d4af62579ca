"""The ledger is what the log says, whatever happens. The long form: `make chaos SCENARIO=ledger`."""

from darkroom.local.stack import Stack
from tests.chaos.ledger import Plan, ledger


async def test_the_ledger_is_what_the_log_says_after_kills_pauses_cuts_rewinds_replays_and_a_rebuild(
    servers: Stack,
) -> None:
    found, wrong = await ledger(servers, Plan(seed=1, kills=4, facts=1_000))

    assert wrong == [], found
