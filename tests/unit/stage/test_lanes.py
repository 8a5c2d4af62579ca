"""Which records of a batch are worked on side by side."""

import pytest

from schemas.wire import Position
from stage.lanes import LEAST, in_lanes


def a_batch(*lengths: int) -> list[Position]:
    """A batch of numbers 0, 1, 2, … with so many records each, two topics of a number in turns."""
    return [
        Position(topic, number, offset)
        for number, many in enumerate(lengths) for offset in range(many // 2) for topic in ("said", "done")
    ]  # fmt: skip


def test_a_number_is_in_one_lane_and_each_place_in_its_order() -> None:
    batch = a_batch(800, 300, 500, 900, 20, 400)

    lanes = in_lanes(batch, 3)

    numbers = [{record.partition for record in lane} for lane in lanes]
    assert sum(map(len, numbers)) == len(set.union(*numbers)) == 6
    assert sum(map(len, lanes)) == len(batch)
    for lane in lanes:
        places = {(record.topic, record.partition) for record in lane}
        for place in places:
            offsets = [record.offset for record in lane if (record.topic, record.partition) == place]
            assert offsets == list(range(len(offsets)))


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ((10, 20, 30), [60]),
        ((2 * LEAST - 2,), [2 * LEAST - 2]),
        ((8 * LEAST,), [8 * LEAST]),
        ((LEAST, LEAST), [LEAST, LEAST]),
        ((LEAST, 100, LEAST - 100, LEAST), [LEAST + 100, 2 * LEAST - 100]),
    ],
    ids=["few", "one number, few", "one number, many", "two", "four"],
)
def test_lanes_are_about_as_long_and_none_is_made_for_a_few(lengths: tuple[int, ...], expected: list[int]) -> None:
    lanes = in_lanes(a_batch(*lengths), 2)

    assert sorted(map(len, lanes)) == expected
