"""What the figures of `gateway` are made of."""

from bench.load import Answered
from bench.rows.gateway import GOALS, figures_of, remarks
from bench.rows.gateway_legs import ALONE, BARE, GATEWAY, Leg


def a_leg(side: str, answers: int, *, cpu: float = 0.5, loader: float = 0.1, rest: float = 0.0) -> Leg:
    return Leg(Answered([5.0] * answers, 1.0), {side: cpu, "loader": loader, "rest": rest})


def test_each_round_of_the_gateway_is_held_against_the_limits_before_and_after_it() -> None:
    series = {
        BARE: [a_leg(BARE, 100), a_leg(BARE, 300), a_leg(BARE, 100)],
        GATEWAY: [a_leg(GATEWAY, 160), a_leg(GATEWAY, 100, cpu=1)],
        ALONE: [a_leg(ALONE, 500)],
    }

    found = {figure.name: figure.values for figure in figures_of("POST 64", series)}

    assert found[GOALS[0].figure] == [0.8, 0.5]
    assert found["POST 64: gateway core"] == [3_125, 10_000]
    assert [round(ratio, 3) for ratio in found["POST 64: bare / gateway core"]] == [1.067, 0.333]
    assert found["POST 64: gateway p99"] == [5.0, 5.0]


def test_a_loader_that_may_be_what_is_measured_and_a_busy_machine_are_said() -> None:
    quiet = {GATEWAY: [a_leg(GATEWAY, 10)], BARE: [a_leg(BARE, 10)]}
    loud = {GATEWAY: [a_leg(GATEWAY, 10, loader=0.3, rest=100)], BARE: [a_leg(BARE, 10)]}

    assert list(remarks([quiet])) == []
    assert [said.split()[0] for said in remarks([quiet, loud])] == ["the", "somebody"]
