"""What was followed is found at once, what was forgotten is read again, and whoever waits misses nothing."""

import asyncio

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaConnectionError

from gateway.log_window import RECORD_OVERHEAD, Record, Window

KEY, OTHER = b"ours", b"another"
ROOM = 10 * (RECORD_OVERHEAD + 100)


def a_record(offset: int, key: bytes | None = OTHER) -> Record:
    return ConsumerRecord("job.requested", 0, offset, 0, 0, key, b"value", None, 0, 5, ())


def window(begins: int = 0, most_bytes: int = ROOM) -> Window:
    made = Window(most_bytes)
    made.begin(begins)
    return made


def places(found: list[Record]) -> list[int]:
    return [record.offset for record in found]


async def test_what_came_by_is_found_without_waiting() -> None:
    tail = window()
    tail.add([a_record(0), a_record(1, KEY), a_record(2)])

    assert places(await tail.records(KEY, 0, 3)) == [1]
    assert await tail.records(b"nobody", 0, 3) == []


async def test_who_asks_for_more_than_came_by_waits_for_all_of_it() -> None:
    tail = window()
    tail.add([a_record(0, KEY)])
    waiting = asyncio.create_task(tail.records(KEY, 0, 3))
    tail.add([a_record(1)])
    await asyncio.sleep(0)
    early = waiting.done()
    tail.add([a_record(2, KEY)])

    assert places(await waiting) == [0, 2]
    assert not early


async def test_what_the_ledger_has_read_does_not_count() -> None:
    tail = window()
    tail.add([a_record(0, KEY), a_record(1, KEY)])

    assert places(await tail.records(KEY, 1, 2)) == [1]


async def test_a_record_without_a_key_is_nobodys_and_is_passed() -> None:
    tail = window()
    tail.add([a_record(0, None), a_record(1, KEY)])

    assert places(await tail.records(KEY, 0, 2)) == [1]


async def test_the_oldest_are_forgotten_and_that_can_be_told() -> None:
    tail = window()
    tail.add([a_record(number, KEY if number == 0 else OTHER) for number in range(100)])

    assert 85 < tail.begins < 99
    assert len(await tail.records(OTHER, 0, 100)) == 100 - tail.begins


async def test_who_waits_is_given_what_is_forgotten_meanwhile() -> None:
    tail = window()
    waiting = asyncio.create_task(tail.records(KEY, 0, 200))
    await asyncio.sleep(0)
    tail.add([a_record(0, KEY)])
    tail.add([a_record(number) for number in range(1, 200)])

    assert places(await waiting) == [0]


async def test_the_first_in_the_log_comes_first_even_after_going_back() -> None:
    tail = window(begins=50)
    waiting = asyncio.create_task(tail.records(KEY, 50, 60))
    await asyncio.sleep(0)
    tail.add([a_record(55, KEY)])
    tail.begin(40)
    tail.add([a_record(number, KEY if number in (42, 52) else OTHER) for number in range(40, 60)])

    assert places(await waiting) == [52, 55]


async def test_nobody_waits_for_a_log_that_is_not_followed_any_more() -> None:
    tail = window()
    waiting = asyncio.create_task(tail.records(KEY, 0, 1))
    await asyncio.sleep(0)
    tail.give_up(KafkaConnectionError())

    with pytest.raises(KafkaConnectionError):
        await waiting
