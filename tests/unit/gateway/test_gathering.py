"""Questions of many callers go to PostgreSQL together, and nobody is answered with what was read before it asked."""

import asyncio
from collections.abc import Mapping

import pytest

from gateway.gathering import MOST, SIDE_BY_SIDE, Gathered


class Table:
    """Holds a number under each name, counts who reads side by side, and answers when it is let."""

    def __init__(self) -> None:
        self.rows = {"a": 1, "b": 2}
        self.read: list[list[str]] = []
        self.reads = asyncio.Semaphore(0)  # one for each
        self.open = asyncio.Event()
        self.open.set()
        self.readers = self.most_readers = 0
        self.fault: Exception | None = None

    async def find(self, keys: list[str]) -> Mapping[str, int]:
        self.read.append(keys)
        self.reads.release()
        self.readers += 1
        self.most_readers = max(self.most_readers, self.readers)
        found = {key: self.rows[key] for key in keys if key in self.rows}
        try:
            await self.open.wait()
        finally:
            self.readers -= 1
        if self.fault is not None:
            raise self.fault
        return found


@pytest.fixture
def table() -> Table:
    return Table()


async def test_who_asks_while_a_statement_is_under_way_is_answered_by_one_other(table: Table) -> None:
    gathered = Gathered(table.find, 5)

    found = await asyncio.gather(*(gathered.find(key) for key in ("a", "b", "none", "a")))

    assert found == [1, 2, None, 1]
    assert table.read == [["a"], ["b", "none", "a"]]


async def test_what_was_read_before_a_caller_asked_is_no_answer_to_it(table: Table) -> None:
    gathered = Gathered(table.find, 5)
    table.open.clear()
    early = asyncio.create_task(gathered.find("a"))
    await table.reads.acquire()

    table.rows["a"] = 10
    late = asyncio.create_task(gathered.find("a"))
    await table.reads.acquire()
    table.open.set()

    assert [await early, await late] == [1, 10]


async def test_however_many_ask_a_few_statements_of_bounded_size_are_under_way(table: Table) -> None:
    gathered = Gathered(table.find, 5)
    table.rows = {f"{number}": number for number in range(5 * MOST)}

    found = await asyncio.gather(*(gathered.find(key) for key in table.rows))

    assert found == list(range(5 * MOST))
    assert table.most_readers <= SIDE_BY_SIDE
    assert [len(keys) for keys in table.read] == [1, *[MOST] * 4, MOST - 1]


async def test_nobody_is_forgotten_who_asks_just_as_a_statement_ends(table: Table) -> None:
    gathered = Gathered(table.find, 1)

    async def ask_over_and_over(pause: int) -> None:
        for _ in range(200):
            for _ in range(pause):
                await asyncio.sleep(0)
            assert await gathered.find("a") == 1

    await asyncio.gather(*(ask_over_and_over(pause) for pause in range(9)))


async def test_a_fault_is_told_to_those_who_asked_and_the_next_ask_anew(table: Table) -> None:
    gathered = Gathered(table.find, 5)
    table.fault = OSError("cut")
    outcomes = await asyncio.gather(gathered.find("a"), gathered.find("b"), return_exceptions=True)
    table.fault = None

    assert [type(outcome) for outcome in outcomes] == [OSError, OSError]
    assert await gathered.find("a") == 1


async def test_nobody_waits_longer_than_its_patience_and_afterwards_all_is_well(table: Table) -> None:
    gathered = Gathered(table.find, 0.05)
    table.open.clear()
    asking = [asyncio.create_task(gathered.find(key)) for key in ("a", "b")]
    await asyncio.sleep(0.03)
    asking.append(asyncio.create_task(gathered.find("late")))

    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    table.open.set()

    assert [type(outcome) for outcome in outcomes] == [TimeoutError] * 3
    assert await gathered.find("b") == 2


async def test_a_caller_who_goes_away_takes_nobodys_answer_along(table: Table) -> None:
    gathered = Gathered(table.find, 5)
    table.open.clear()
    leaving, staying = (asyncio.create_task(gathered.find("a")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait((leaving,))
    table.open.set()

    assert leaving.cancelled()
    assert await staying == 1
