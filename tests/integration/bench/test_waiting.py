"""The row `waiting`, small and on real servers: that it measures, never how much."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="benches read /proc: they run on Linux alone")


def test_callers_wait_and_are_answered_after_the_end_and_nothing_is_left_behind(tmp_path: Path) -> None:
    asked = ("--callers", "200", "--alone", "10", "--json")
    run = subprocess.run(
        [sys.executable, "-m", "bench", "waiting", *asked],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout)
    assert (figures["row"], figures["callers"], figures["alone"]) == ("waiting", 200, 10)
    assert (
        0 < figures["answered_after_the_end_one_p50"]["median"] <= figures["answered_after_the_end_one_p99"]["median"]
    )
    assert list(tmp_path.iterdir()) == []
