"""When a part that died is started again."""

from darkroom.local.backoff import Backoff


def pauses(*uptimes: float) -> list[float]:
    backoff, said = Backoff(), []
    for uptime in uptimes:
        pause, backoff = backoff.after(uptime)
        said.append(pause)
    return said


def test_each_death_doubles_the_pause_up_to_half_a_minute() -> None:
    assert pauses(*[1.0] * 9) == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_part_that_stayed_up_a_minute_begins_anew() -> None:
    assert pauses(1, 1, 1, 60, 1) == [0.5, 1, 2, 0.5, 1]
