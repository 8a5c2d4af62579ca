"""Where a job's time went."""

from typing import Any

import pytest

from darkroom.journey import as_bars, phase_of, stages, steps_done


def a_job(**changes: Any) -> dict[str, Any]:
    return {
        "created_at": "2026-01-12T10:00:00Z",
        "started_at": "2026-01-12T10:00:00.010Z",
        "completed_at": "2026-01-12T10:00:01.250Z",
        "media": [
            an_output(generated_at="2026-01-12T10:00:01.010Z", stored_at="2026-01-12T10:00:01.200Z"),
            an_output(generated_at="2026-01-12T10:00:01.110Z", stored_at="2026-01-12T10:00:01.210Z"),
        ],
    } | changes


def an_output(**changes: Any) -> dict[str, Any]:
    return {"status": "COMPLETED", "phase": "done", "submitted_at": "2026-01-12T10:00:00.010Z"} | changes


def test_each_stage_ends_with_its_last_output() -> None:
    assert stages(a_job()) == pytest.approx({"waiting": 0.01, "generating": 1.1, "storing": 0.1, "completing": 0.04})


def test_a_stage_whose_end_is_not_known_is_left_out() -> None:
    job = a_job(media=[an_output(generated_at=None, stored_at=None, submitted_at=None)])

    assert list(stages(job)) == ["waiting", "completing"]


def test_clocks_that_disagree_give_no_negative_time() -> None:
    assert stages(a_job(completed_at="2026-01-12T09:00:00Z"))["completing"] == 0


def test_the_longest_stage_has_the_longest_bar() -> None:
    assert as_bars({"waiting": 0.5, "generating": 1.5}) == [
        "  waiting         500 ms  ━━━━━━━━━━",
        "  generating    1,500 ms  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━",
        "  altogether    2,000 ms",
    ]


def test_an_output_is_shown_by_what_it_waits_for_or_by_how_it_failed() -> None:
    assert phase_of(an_output(status="PROCESSING", phase="storing")) == "storing"
    assert phase_of(an_output(status="FAILED", phase="done")) == "failed"
    assert steps_done(an_output()) == 3
