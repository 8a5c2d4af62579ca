"""The row `gateway`, small and on real servers: that it measures, never how much."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="benches read /proc: they run on Linux alone")


@pytest.mark.parametrize("auth", ["open", "keys"])
def test_both_methods_are_measured_beside_their_limit_and_nothing_is_left_behind(tmp_path: Path, auth: str) -> None:
    asked = ("--auth", auth, "--connections", "16", "--jobs", "400", "--seconds", "0.3", "--rounds", "2", "--json")
    run = subprocess.run(
        [sys.executable, "-m", "bench", "gateway", *asked],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout)
    assert (figures["row"], figures["auth"], figures["jobs"], figures["rounds"]) == ("gateway", auth, 400, 2)
    for method in ("post", "get"):
        for side in ("gateway", "bare"):
            assert 0 < figures[f"{method}_16_{side}_p50"]["median"] <= figures[f"{method}_16_{side}_p99"]["highest"]
            assert figures[f"{method}_16_{side}_core"]["median"] > 10
        assert figures[f"{method}_16_gateway_per_bare"]["median"] > 0
        assert figures[f"{method}_16_alone"]["median"] > 0
    assert "also" not in figures, "the goals are of 64 connections"
    assert list(tmp_path.iterdir()) == []
