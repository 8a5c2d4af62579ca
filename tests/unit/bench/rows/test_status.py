"""What the figures of `status` are made of."""

import pytest

from bench.rows.status import GOAL, Times, figures, percentile


@pytest.mark.parametrize(("rank", "time"), [(50, 50.0), (99, 99.0), (100, 100.0), (1, 1.0)])
def test_a_percentile_is_the_time_that_so_many_reads_do_not_exceed(rank: int, time: float) -> None:
    assert percentile([float(each) for each in range(100, 0, -1)], rank) == time


def test_a_percentile_of_few_reads_is_one_of_them() -> None:
    assert [percentile([3.0, 1.0, 2.0], rank) for rank in (1, 50, 99)] == [1.0, 2.0, 3.0]


def test_each_round_among_many_is_held_against_the_middle_of_all_rounds_among_few() -> None:
    few = Times(http=[[1.0], [2.0], [6.0]], sql=[[1.0]] * 3)
    many = Times(http=[[4.0], [8.0]], sql=[[1.0]] * 2)

    found = {figure.name: figure.values for figure in figures(few, many)}

    assert found[GOAL.figure] == [0.5, 0.25]
    assert (found["http: many p50"], found["http: few p99"]) == ([4.0, 8.0], [1.0, 2.0, 6.0])
