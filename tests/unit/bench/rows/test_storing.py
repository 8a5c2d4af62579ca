"""What the figures of `storing` are made of."""

import pytest

from bench.bare import IN_FLIGHT
from bench.cost import REST, difference
from bench.rows.storing import GOAL, costs, remarks, speeds
from bench.rows.storing_legs import Leg
from stage.work import SLOTS


def a_leg(seconds: float = 1.0, *, failed: int = 0, **cpu: float) -> Leg:
    return Leg(100, seconds, {REST: 0.0, **cpu}, failed)


def test_each_round_is_divided_by_the_mean_of_the_limits_around_it() -> None:
    bare = [a_leg(1.0), a_leg(0.5), a_leg(0.25)]  # 100, 200 and 400 a second
    stage = [a_leg(1.0), a_leg(0.5)]

    figures = {figure.name: figure.values for figure in speeds(stage, bare)}

    assert figures == {"stage": [100, 200], "bare": [100, 200, 400], GOAL.figure: [100 / 150, 200 / 300]}


def test_a_round_without_a_limit_on_either_side_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        list(speeds([a_leg(), a_leg()], [a_leg(), a_leg()]))


def test_costs_are_core_milliseconds_for_an_output_and_leave_out_who_did_nothing() -> None:
    figures = list(costs("stage", [a_leg(uploader=0.2, idle=0.0), a_leg(uploader=0.3, idle=0.0)]))

    assert [(figure.name, [round(value, 6) for value in figure.values]) for figure in figures] == [
        ("stage: uploader", [2.0, 3.0])
    ]


def test_tries_that_failed_and_a_busy_machine_are_remarked_and_nothing_else_is() -> None:
    busy = Leg(100, 1.0, {REST: 1_000.0}, 0)

    assert list(remarks([a_leg()], [a_leg()])) == []
    assert "2 tries of the stage failed" in next(remarks([a_leg(failed=2)], [a_leg()]))
    assert "3 bare PUTs were refused" in next(remarks([a_leg()], [a_leg(failed=3)]))
    assert "measure again on a quiet machine" in next(remarks([busy], [a_leg()]))


def test_what_was_taken_is_never_below_nothing() -> None:
    """The kernel counts the whole machine and each process apart, in ticks."""
    assert difference({"a": 1.0, REST: 2.0}, {"a": 1.5, REST: 1.99}) == {"a": 0.5, REST: 0.0}


def test_the_limit_has_as_much_in_flight_as_an_uploader() -> None:
    assert IN_FLIGHT == SLOTS
