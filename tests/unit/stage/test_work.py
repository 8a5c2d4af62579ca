"""Work rows: claimed in batches, each worked once, each result recorded once, whatever breaks in between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from stage.work import CLAIM_AT_LEAST, Workers
from tests.fakes import Rows


@asynccontextmanager
async def at_work(rows: Rows, slots: int = 64) -> AsyncIterator[tuple[Workers[int, int], asyncio.Event]]:
    """Workers on these rows, stopped at the end."""
    workers, stopping = Workers(rows.beats(), slots), asyncio.Event()
    run = asyncio.create_task(workers.run(stopping))
    try:
        yield workers, stopping
    finally:
        stopping.set()
        async with asyncio.timeout(5):
            await run


async def until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; fail after five seconds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.001)


async def test_everything_due_is_worked_and_recorded_once() -> None:
    rows = Rows(range(500))

    async with at_work(rows):
        await until(lambda: len(rows.recorded) >= 500)

    assert sorted(rows.recorded) == list(range(500))


async def test_claims_come_in_batches_and_never_exceed_the_slots() -> None:
    rows = Rows(range(300))

    async with at_work(rows, slots=32):
        await until(lambda: len(rows.recorded) == 300)

    assert rows.most_in_work <= 32
    assert min(len(batch) for batch in rows.claimed[:-1]) >= CLAIM_AT_LEAST


async def test_results_are_recorded_in_batches_while_others_are_in_work() -> None:
    rows = Rows(range(64))

    async with at_work(rows):
        await until(lambda: len(rows.recorded) == 64)

    assert len(rows.batches) < 64


async def test_results_that_arrive_while_others_are_being_recorded_are_recorded_too() -> None:
    rows = Rows([1])
    second_is_done = asyncio.Event()

    async def add_a_second_one() -> None:
        if not rows.batches and not second_is_done.is_set():
            rows.due.append(2)
            workers.wake()
            await until(lambda: [2] in rows.claimed and rows.in_work == 0)
            second_is_done.set()

    rows.while_recording = add_a_second_one
    async with at_work(rows) as (workers, _):
        await until(lambda: len(rows.recorded) == 2)

    assert rows.batches == [[1], [2]]


async def test_a_wake_up_is_faster_than_polling() -> None:
    rows = Rows()

    async with at_work(rows) as (workers, _):
        await asyncio.sleep(0.05)  # now it waits
        rows.due.append(1)
        workers.wake()
        async with asyncio.timeout(0.3):
            await until(lambda: rows.recorded == [1])


async def test_without_a_wake_up_new_rows_are_found_by_polling() -> None:
    rows = Rows()

    async with at_work(rows):
        await asyncio.sleep(0.05)
        rows.due.append(1)
        await until(lambda: rows.recorded == [1])


async def test_whoever_publishes_is_woken_after_each_record() -> None:
    rows = Rows(range(10))

    async with at_work(rows):
        await until(lambda: len(rows.recorded) == 10)

    assert rows.wakes == len(rows.batches)


async def test_a_passing_fault_while_recording_is_waited_out_and_nothing_is_lost_or_doubled() -> None:
    rows = Rows(range(40))
    rows.record_faults = [OSError("away"), TimeoutError()]

    async with at_work(rows):
        await until(lambda: len(rows.recorded) == 40)

    assert sorted(rows.recorded) == list(range(40))


async def test_a_passing_fault_while_claiming_is_waited_out() -> None:
    rows = Rows([1])
    rows.claim_faults = [OSError("away")]

    async with at_work(rows):
        await until(lambda: rows.recorded == [1])


async def test_a_bug_in_work_ends_the_run_and_the_others_results_are_recorded() -> None:
    rows = Rows(range(5))

    async def break_on_three(number: int) -> None:
        if number == 3:
            raise ZeroDivisionError

    rows.while_working = break_on_three

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(5):
            await Workers(rows.beats()).run(asyncio.Event())
    assert sorted(rows.recorded) == [0, 1, 2, 4]


async def test_a_bug_in_recording_ends_the_run_instead_of_working_on_unrecorded() -> None:
    rows = Rows(range(5))
    rows.record_faults = [ZeroDivisionError()]

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(5):
            await Workers(rows.beats()).run(asyncio.Event())


async def test_a_bug_in_claiming_ends_the_run_after_what_is_in_work_was_recorded() -> None:
    rows = Rows(range(64))

    async def break_the_next_claim(number: int) -> None:
        rows.claim_faults = [ZeroDivisionError()]
        await asyncio.sleep(0.001 * number)

    rows.while_working = break_the_next_claim

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(5):
            await Workers(rows.beats()).run(asyncio.Event())
    assert sorted(rows.recorded) == list(range(64))


async def test_a_stop_lets_what_is_in_work_finish_and_be_recorded() -> None:
    rows = Rows(range(3))
    finish = asyncio.Event()

    async def wait_to_finish(_: int) -> None:
        await finish.wait()

    rows.while_working = wait_to_finish
    async with at_work(rows) as (_, stopping):
        await until(lambda: rows.in_work == 3)
        stopping.set()
        asyncio.get_running_loop().call_later(0.1, finish.set)

    assert sorted(rows.recorded) == [0, 1, 2]


async def test_a_stop_lets_a_record_that_is_under_way_finish() -> None:
    rows = Rows([1])
    recording, finish = asyncio.Event(), asyncio.Event()

    async def wait_to_finish() -> None:
        recording.set()
        await finish.wait()

    rows.while_recording = wait_to_finish
    async with at_work(rows) as (_, stopping):
        await recording.wait()
        stopping.set()
        asyncio.get_running_loop().call_later(0.1, finish.set)

    assert rows.recorded == [1]


async def test_a_stop_waits_for_a_passing_fault_of_the_last_record() -> None:
    rows = Rows([1])
    recording = asyncio.Event()

    async def say_so() -> None:
        recording.set()

    rows.while_recording, rows.record_faults = say_so, [OSError("away"), OSError("still away")]
    async with at_work(rows) as (_, stopping):
        await recording.wait()
        stopping.set()

    assert rows.recorded == [1]


async def test_after_a_stop_nothing_new_is_claimed_though_every_slot_was_taken() -> None:
    rows = Rows(range(10))
    finish = asyncio.Event()

    async def wait_to_finish(_: int) -> None:
        await finish.wait()

    rows.while_working = wait_to_finish
    async with at_work(rows, slots=4) as (_, stopping):
        await until(lambda: rows.in_work == 4)
        stopping.set()
        finish.set()

    assert sorted(rows.recorded) == [0, 1, 2, 3]
    assert len(rows.due) == 6
