"""The image: a Dockerfile without known mistakes, and commands that start with what it installs and nothing else."""

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.repository.test_compose import CONTAINERS, ONE_SHOTS, OPERATORS, SETTINGS
from tests.repository.test_locks import pins
from tests.repository.tree import ROOT, said_by

# Runs `python -m ...` as the image would: what requirements.txt does not hold cannot be imported.
AS_IN_THE_IMAGE = """
import runpy, sys
absent = set(sys.argv[1].split(","))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not in requirements.txt", name=name)
sys.meta_path.insert(0, Absent())
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def absent() -> set[str]:
    """What can be imported here and not in the image."""
    installed = pins((ROOT / "requirements.txt").read_text()).keys() | {"darkroom"}
    return {
        module
        for module, owners in packages_distributions().items()
        if not installed & {canonicalize_name(owner) for owner in owners}
    }


def start(container: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a container's command as the image does, told nothing; `folder` is empty, so it finds no settings file."""
    python, dash_m, *command = CONTAINERS[container].get("entrypoint") or CONTAINERS[container]["command"]
    assert (python, dash_m) == ("python", "-m")
    line = [sys.executable, "-c", AS_IN_THE_IMAGE, ",".join(absent()), *command, *more]
    environ = {"PYTHONPATH": str(ROOT)}
    return subprocess.run(line, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_dockerfile_has_no_known_mistakes() -> None:
    assert said_by("hadolint", ROOT / "Dockerfile") == ""


def test_a_planted_mistake_in_the_dockerfile_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "Dockerfile"
    planted.write_text((ROOT / "Dockerfile").read_text().replace("python:3.13-slim", "python:latest"))

    assert "DL3007" in said_by("hadolint", planted)


def test_the_image_does_not_run_as_root() -> None:
    users = [line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("USER ")]

    assert users[-1:] == ["10001:10001"]


@pytest.mark.parametrize("service", SETTINGS)
def test_a_service_in_the_image_gets_as_far_as_asking_for_its_settings(service: str, tmp_path: Path) -> None:
    run = start(service, tmp_path)

    assert run.returncode == 2, run.stderr
    assert "KAFKA_BOOTSTRAP_SERVERS" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("one_shot", ONE_SHOTS)
def test_a_one_shot_in_the_image_is_a_command_that_exists(one_shot: str, tmp_path: Path) -> None:
    run = start(one_shot, tmp_path, "--help")

    assert run.returncode == 0, run.stderr
    assert CONTAINERS[one_shot]["command"][-1] in run.stdout


@pytest.mark.parametrize("one_shot", ONE_SHOTS)
def test_a_one_shot_in_the_image_gets_as_far_as_asking_for_its_settings(one_shot: str, tmp_path: Path) -> None:
    run = start(one_shot, tmp_path)

    assert run.returncode == 2, run.stderr
    assert "is not set" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "command", ["held list", "brakes list", "keys list", "ledger check", "offsets show", "bucket orphans"]
)
def test_an_operators_command_in_the_image_gets_as_far_as_asking_for_its_settings(command: str, tmp_path: Path) -> None:
    run = start(OPERATORS, tmp_path, *command.split())

    assert run.returncode == 2, run.stderr
    assert "is not set" in run.stderr
    assert "Traceback" not in run.stderr
