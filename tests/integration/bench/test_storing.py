"""The row `storing`, small and on real servers: that it measures, never how much."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.place import NoFigureError
from bench.rows.storing_large import TOLD, storing_large
from tests.repository.tree import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="benches read /proc: they run on Linux alone")


def test_it_prints_one_line_of_figures_and_leaves_nothing_behind(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench", "storing", "--outputs", "20", "--rounds", "2", "--per-job", "3", "--json"],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout)
    assert (figures["row"], figures["outputs"], figures["rounds"]) == ("storing", 20, 2)
    assert figures["goal"] == {"figure": "stage / bare", "at_least": 0.8}
    for name in ("stage", "bare", "stage_per_bare", "stage_uploader", "bare_bench", "round_trip_put"):
        assert 0 < figures[name]["lowest"] <= figures[name]["median"] <= figures[name]["highest"]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where anything temporary is made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_memory_of_a_large_video_is_measured_over_idle(temporary: Path) -> None:
    report = asyncio.run(storing_large(1, size=20_000_000))

    figures = {figure.name: figure.values[0] for figure in report.figures}
    assert 0 < figures["extra memory"] < 1_000
    assert figures["stage"] > 0
    assert figures["idle memory"] > 10
    assert list(temporary.iterdir()) == []


def test_an_output_that_the_stage_gives_up_is_no_figure_and_the_logs_are_kept(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TOLD, "UPLOADER_MAX_BYTES", "1000")

    with pytest.raises(NoFigureError, match="could not be stored: output_too_large"):
        asyncio.run(storing_large(1, size=200_000))

    assert list(temporary.glob("*/stack/logs/uploader-1.log"))
