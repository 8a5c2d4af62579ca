import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from darkroom.simulators.clock import SimulatedClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def test_a_frozen_clock_moves_only_when_told() -> None:
    clock = SimulatedClock(NOON, frozen=True)
    await asyncio.sleep(0.01)

    assert clock.now() == NOON
    assert clock.advance(90) == clock.now() == NOON + timedelta(seconds=90)


async def test_alarms_ring_in_order_when_time_is_skipped() -> None:
    clock, rung = SimulatedClock(NOON, frozen=True), []
    for seconds in (30, 10, 20, 40):
        alarm = clock.alarm(NOON + timedelta(seconds=seconds))
        alarm.add_done_callback(lambda _, seconds=seconds: rung.append(seconds))  # type: ignore[misc]

    clock.advance(30)
    await asyncio.sleep(0)

    assert rung == [10, 20, 30]


async def test_a_running_clock_rings_by_itself() -> None:
    clock = SimulatedClock()

    await asyncio.wait_for(clock.sleep(0.02), 1)


async def test_a_clock_that_is_set_going_rings_what_was_waiting() -> None:
    clock = SimulatedClock(NOON, frozen=True)
    sleeping = asyncio.ensure_future(clock.sleep(0.02))
    await asyncio.sleep(0)
    clock.resume()

    await asyncio.wait_for(sleeping, 1)
    clock.freeze()
    assert clock.frozen
    assert clock.now() >= NOON + timedelta(seconds=0.02)


def test_no_clock_goes_back() -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        SimulatedClock(NOON, frozen=True).advance(-1)
