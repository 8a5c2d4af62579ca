"""Waiting costs a row. The long form, ten thousand of them: `make chaos SCENARIO=waiting`."""

from darkroom.local.stack import Stack
from tests.chaos.waiting import waiting


async def test_a_thousand_generations_wait_at_once_in_one_process_and_all_finish(servers: Stack) -> None:
    figures, wrong = await waiting(servers, 1_000, looked_at=3)

    assert wrong == [], figures
