import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from darkroom.local.jars import Jar, complete_folder, kafka_version, listed_jars, read_list
from darkroom.local.part import LocalError


def a_jar(artifact: str, *, version: str = "1.0") -> Jar:
    content = f"{artifact} {version}".encode()
    return Jar("org.example", artifact, version, hashlib.sha256(content).hexdigest())


JARS = (a_jar("kafka_2.13", version="4.4.0"), a_jar("snappy"), a_jar("zstd"))


class Repository:
    """A Maven repository that remembers what it was asked for, and answers badly as often as it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._bad_answers: dict[str, list[bytes | Exception]] = {}
        self._lock = threading.Lock()

    def first_answers(self, artifact: str, *answers: bytes | Exception) -> None:
        self._bad_answers[artifact] = list(answers)

    def fetch(self, jar: Jar, empty: Path) -> Path:
        assert not list(empty.iterdir())
        with self._lock:
            self.asked.append(jar.artifact)
            bad = self._bad_answers.get(jar.artifact)
            answer = bad.pop(0) if bad else f"{jar.artifact} {jar.version}".encode()
        path = empty / "some" / "path.jar"
        path.parent.mkdir()
        if isinstance(answer, Exception):
            path.write_bytes(b"half of")
            raise answer
        path.write_bytes(answer)
        return path


def told(lines: list[str]) -> str:
    return " ".join(lines)


def test_the_committed_list_names_the_45_jars_of_kafka_4_4_0_with_a_sha256_each() -> None:
    jars = listed_jars()

    assert len(jars) == 45
    assert kafka_version(jars) == "4.4.0"
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in jars)
    assert len({jar.file_name for jar in jars}) == 45


def test_a_list_may_hold_comments_and_empty_lines() -> None:
    jars = read_list("# why\n\norg.example:one:1.0 aa  # note\n")

    assert jars == (Jar("org.example", "one", "1.0", "aa"),)
    assert jars[0].file_name == "one-1.0.jar"


def test_an_empty_cache_is_filled_with_every_jar_and_one_line_says_so(tmp_path: Path) -> None:
    lines: list[str] = []

    folder = complete_folder(tmp_path, JARS, lines.append, Repository().fetch)

    assert {path.name for path in folder.glob("*.jar")} == {"kafka_2.13-4.4.0.jar", "snappy-1.0.jar", "zstd-1.0.jar"}
    assert len(lines) == 1
    assert "Kafka 4.4.0: 3 jars" in told(lines)


def test_a_complete_cache_is_used_as_it_is(tmp_path: Path) -> None:
    repository = Repository()
    lines: list[str] = []
    complete_folder(tmp_path, JARS, lines.append, repository.fetch)

    complete_folder(tmp_path, JARS, lines.append, repository.fetch)

    assert sorted(repository.asked) == ["kafka_2.13", "snappy", "zstd"]
    assert len(lines) == 1


@pytest.mark.parametrize("answer", [b"something else", ConnectionError("cut off in the middle")])
def test_a_bad_download_is_thrown_away_and_fetched_once_more(tmp_path: Path, answer: bytes | Exception) -> None:
    repository = Repository()
    repository.first_answers("zstd", answer)

    folder = complete_folder(tmp_path, JARS, print, repository.fetch)

    assert repository.asked.count("zstd") == 2
    assert (folder / "zstd-1.0.jar").read_bytes() == b"zstd 1.0"


def test_a_jar_with_another_hash_for_the_second_time_is_refused_by_name(tmp_path: Path) -> None:
    repository = Repository()
    repository.first_answers("zstd", b"something else", b"something else")

    with pytest.raises(LocalError, match=r"org\.example:zstd:1\.0 .*sha256"):
        complete_folder(tmp_path, JARS, print, repository.fetch)

    assert not list(tmp_path.rglob("zstd*"))
    assert not list(tmp_path.rglob("path.jar"))


def test_without_a_network_the_error_names_the_jar_and_the_network(tmp_path: Path) -> None:
    repository = Repository()
    repository.first_answers("zstd", ConnectionError("no route"), ConnectionError("no route"))

    with pytest.raises(LocalError, match=r"org\.example:zstd:1\.0 .*network"):
        complete_folder(tmp_path, JARS, print, repository.fetch)


def test_what_an_interrupted_run_fetched_well_is_kept_and_what_it_left_half_done_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "kafka-4.4.0"
    (folder / ".fetch-killed").mkdir(parents=True)
    (folder / "snappy-1.0.jar").write_bytes(b"snappy 1.0")
    (folder / "zstd-1.0.jar").write_bytes(b"zst")
    repository = Repository()

    complete_folder(tmp_path, JARS, print, repository.fetch)

    assert sorted(repository.asked) == ["kafka_2.13", "zstd"]
    assert not (folder / ".fetch-killed").exists()


def test_a_jar_that_was_cut_short_after_all_were_checked_is_noticed_and_fetched_again(tmp_path: Path) -> None:
    repository = Repository()
    folder = complete_folder(tmp_path, JARS, print, repository.fetch)
    (folder / "snappy-1.0.jar").write_bytes(b"sna")

    complete_folder(tmp_path, JARS, print, repository.fetch)

    assert (folder / "snappy-1.0.jar").read_bytes() == b"snappy 1.0"
    assert repository.asked.count("snappy") == 2


def test_two_at_once_share_the_work_of_one(tmp_path: Path) -> None:
    repository = Repository()

    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(complete_folder, tmp_path, JARS, print, repository.fetch) for _ in range(2)]

    assert both[0].result() == both[1].result()
    assert sorted(repository.asked) == ["kafka_2.13", "snappy", "zstd"]
