"""What a row found, as people and programs see it."""

import json

import pytest

from bench.report import Figure, Goal, Report

RATIO = "stage / bare"


def a_report(*ratios: float, at_least: float = 0.8) -> Report:
    figures = [Figure("stage: s3", "core-ms/output", [1.5, 1.25, 4.0]), Figure(RATIO, "", ratios)]
    return Report("storing", "this beside that", {"outputs": 2_000}, figures, Goal(RATIO, at_least), ["mind the noise"])


def test_a_figure_is_its_median_between_its_lowest_and_its_highest() -> None:
    assert Figure("stage", "outputs/s", [3.0, 1.0, 20.0]).spread == (3.0, 1.0, 20.0)


def test_the_line_is_json_that_holds_figures_setting_machine_and_goal() -> None:
    line = json.loads(json.dumps(a_report(0.7, 0.9, 0.85).line()))

    assert line["stage_per_bare"] == {"median": 0.85, "lowest": 0.7, "highest": 0.9, "unit": ""}
    assert line["stage_s3"]["median"] == 1.5
    assert (line["row"], line["outputs"], line["goal"]["at_least"]) == ("storing", 2_000, 0.8)
    assert line["goal_met"] is True
    assert line["cores"] >= 1


@pytest.mark.parametrize(("ratio", "verdict"), [(0.8, "met, with 0.8"), (0.799, "MISSED, with 0.799")])
def test_people_are_told_plainly_whether_the_goal_is_met(ratio: float, verdict: str) -> None:
    lines = list(a_report(ratio).lines())

    assert lines[-2:] == [f"goal: stage / bare at least 0.8: {verdict}", "mind the noise"]


def test_a_goal_is_not_met_by_rounding() -> None:
    assert a_report(0.79999).line()["goal_met"] is False


def test_a_row_about_two_things_has_two_goals() -> None:
    figures = [Figure("in", "", [0.9]), Figure("out", "", [0.7])]
    report = Report("both", "", {}, figures, also=[Goal("in", 0.8), Goal("out", 0.8)])

    assert [goal["met"] for goal in report.line()["also"]] == [True, False]
    assert list(report.lines())[-2:] == [
        "goal: in at least 0.8: met, with 0.9",
        "goal: out at least 0.8: MISSED, with 0.7",
    ]


def test_the_table_has_a_row_for_each_figure() -> None:
    lines = list(a_report(0.7, 0.9, 0.85).lines())

    assert lines[0] == "storing: this beside that"
    assert lines[1].startswith("outputs 2,000, cores ")
    assert [line.split()[:4] for line in lines[3:6]] == [
        ["median", "lowest", "highest"],
        ["stage:", "s3", "1.5", "1.25"],
        ["stage", "/", "bare", "0.85"],
    ]
