"""The row `status`, small and on real servers: that it measures, never how much."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="benches read /proc: they run on Linux alone")


def test_it_reads_jobs_of_both_ledgers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    asked = ("--few", "400", "--many", "2000", "--outputs", "2", "--reads", "20", "--rounds", "2", "--json")
    run = subprocess.run(
        [sys.executable, "-m", "bench", "status", *asked],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout)
    assert (figures["row"], figures["few"], figures["many"], figures["outputs"]) == ("status", 400, 2000, 2)
    for way in ("http", "sql"):
        for name in ("few", "many"):
            assert 0 < figures[f"{way}_{name}_p50"]["median"] <= figures[f"{way}_{name}_p99"]["highest"]
    assert figures["goal"]["figure"] == "few / many"
    assert list(tmp_path.iterdir()) == []
