"""The command line as people meet it: exit codes, and one clear line for what cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def darkroom(*words: str, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "darkroom", *words)
    return subprocess.run(command, cwd=cwd, env=clean | environ, capture_output=True, text=True, check=False)


def test_nothing_runs_is_no_fault(tmp_path: Path) -> None:
    assert darkroom("ps", "--home", str(tmp_path)).returncode == 0
    assert darkroom("ps", "--json", "--home", str(tmp_path)).stdout == "[]\n"
    assert "Nothing runs" in darkroom("down", "--home", str(tmp_path)).stdout


def test_the_last_lines_of_a_log_are_shown(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "generator-1.log").write_text("".join(f"line {n}\n" for n in range(50_000)))

    shown = darkroom("logs", "generator", "-n", "2", "--home", str(tmp_path))

    assert shown.stdout == "line 49998\nline 49999\n"


def test_an_unknown_log_names_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "kafka.log").touch()

    answer = darkroom("logs", "zookeeper", "--home", str(tmp_path))

    assert answer.returncode == 2
    assert "there is no log of 'zookeeper': choose one of kafka" in answer.stderr


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        (("database", "prepare"), "DARKROOM_ADMIN_DATABASE_URL"),
        (("database", "migrate", "--service", "ledger"), "LEDGER_DATABASE_URL"),
        (("topics", "apply"), "KAFKA_BOOTSTRAP_SERVERS"),
        (("bucket", "create"), "S3_ACCESS_KEY_ID"),
        (("held", "list"), "GENERATOR_DATABASE_URL"),
        (("pause", "tenant", "acme", "--json"), "GENERATOR_DATABASE_URL"),
        (("bill", "check", "--provider", "replicate"), "GENERATOR_DATABASE_URL"),
    ],
)
def test_a_missing_setting_is_named_in_one_line(command: tuple[str, ...], setting: str, tmp_path: Path) -> None:
    answer = darkroom(*command, cwd=tmp_path)

    assert answer.returncode == 2
    assert answer.stderr.startswith(f"darkroom: {setting} is not set")
    assert answer.stderr.count("\n") == 1


def test_missing_settings_of_the_bucket_are_named_and_nothing_else_is_shown(tmp_path: Path) -> None:
    answer = darkroom(
        "bucket", "orphans", cwd=tmp_path, UPLOADER_DATABASE_URL="postgresql://127.0.0.1:1/x", A_SECRET="hunter2"
    )

    assert answer.returncode == 2
    assert answer.stderr.startswith("darkroom: an S3_ setting is missing or wrong: S3_ACCESS_KEY_ID: Field required; ")
    assert "hunter2" not in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_what_cannot_be_reached_is_named_in_one_line(tmp_path: Path) -> None:
    answer = darkroom("topics", "apply", cwd=tmp_path, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert answer.returncode == 1
    assert answer.stderr == "darkroom: Kafka cannot be reached: does it run where KAFKA_BOOTSTRAP_SERVERS says?\n"


def test_the_environment_wins_over_the_local_file_and_that_over_the_committed_one(tmp_path: Path) -> None:
    (tmp_path / ".env.development").write_text("KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1\nKAFKA_TOPIC_REPLICATION=1\n")
    (tmp_path / ".env.development.local").write_text("KAFKA_TOPIC_REPLICATION=many\n")

    assert "KAFKA_TOPIC_REPLICATION is 'many'" in darkroom("topics", "apply", cwd=tmp_path).stderr
    answer = darkroom("topics", "apply", cwd=tmp_path, KAFKA_TOPIC_REPLICATION="lots")
    assert "KAFKA_TOPIC_REPLICATION is 'lots'" in answer.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--replicas", "painter=2"), "'painter' is not one of gateway"),
        (("--port", "gateway=x"), "'gateway=x' is not NAME=NUMBER"),
        (("--port", "generator-2=8000"), "is not one of kafka, kafka-controller, postgres, s3, gateway, generator, "
         "uploader, ledger, generator-1, uploader-1, ledger-1\n"),  # each name once
    ],
)  # fmt: skip
def test_wrong_usage_is_named_and_nothing_is_started(words: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    answer = darkroom("up", *words, "--home", str(tmp_path / "home"))

    assert answer.returncode == 2
    assert problem in answer.stderr
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_made_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    answer = darkroom("up", "--home", str(tmp_path / "file" / "home"), DARKROOM_PORTS="")

    assert answer.returncode == 1
    assert "cannot be written to (Not a directory): choose another folder with --home" in answer.stderr
