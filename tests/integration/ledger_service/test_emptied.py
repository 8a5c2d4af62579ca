"""When a ledger may begin to read from nothing, and when it must be rebuilt: it would announce everything again."""

import pytest

from darkroom.local.stack import Stack
from ledger_service.emptied import refuse_to_begin_again
from ledger_service.tables import SCHEMA
from stage.database import new_pool
from stage.kafka import LogEnds
from stage.settings import KafkaSettings
from tests.integration.ledger_service.small_ledger import SmallLedger, all_sorts_of_jobs
from tests.pipeline.test_stops import ran

EMPTY = "TRUNCATE jobs, outputs, attempts, facts, offsets, outbox"


async def may_begin(servers: Stack) -> bool:
    """Whether a ledger would start now."""
    access, url = KafkaSettings.model_validate(servers.environ), servers.environ["LEDGER_DATABASE_URL"]
    async with await new_pool(url, schema=SCHEMA, name="test") as pool, LogEnds(access, "test") as ends:
        try:
            await refuse_to_begin_again(pool, ends)
        except SystemExit:
            return False
        return True


async def test_an_empty_ledger_begins_until_something_was_announced_and_never_after(servers: Stack) -> None:
    on_fresh_topics = await may_begin(servers)
    async with SmallLedger.open(servers) as ledger:
        await ledger.say(*all_sorts_of_jobs(7))
        before_a_backlog = await may_begin(servers)
        await ledger.read()
        await ledger.relay()
        as_it_is = await may_begin(servers)
        await ledger.pool.execute(EMPTY)
        emptied = await may_begin(servers)
        code, words = await ran("ledger", servers)
        await ledger.rebuild()
        rebuilt = await may_begin(servers)

    assert (on_fresh_topics, before_a_backlog, as_it_is, emptied, rebuilt) == (True, True, True, False, True)
    assert (code, "run `darkroom ledger rebuild`" in words) == (1, True)


@pytest.mark.parametrize("left", ["offsets", "jobs, outputs, attempts, facts"])
async def test_a_ledger_that_lost_one_half_is_judged_by_what_it_remembers(servers: Stack, left: str) -> None:
    async with SmallLedger.open(servers) as ledger:
        await ledger.say(*all_sorts_of_jobs(7))
        await ledger.read()
        await ledger.relay()
        await ledger.pool.execute(f"TRUNCATE {left}")
        begins = await may_begin(servers)
        await ledger.rebuild()

        assert begins == (left == "offsets")
        assert (await ledger.check()).comparison.equal
