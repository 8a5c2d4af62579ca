"""Kafka's jars: fetched once per user from the Maven repository, every one checked against the committed list."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

from darkroom.local.cache import cache_folder, cannot_write, only_one, usable_folder, write_whole
from darkroom.local.part import LocalError
from darkroom.local.prepare import Say

# Waiting for answers is most of it; 16 and 24 were no faster than 8.
_THREADS = 8


@dataclass(frozen=True)
class Jar:
    """One line of the list."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


# Bring one jar into an empty folder, and say where it lies. Any exception means that it did not work.
Fetch = Callable[[Jar, Path], Path]


def read_list(text: str) -> tuple[Jar, ...]:
    """The jars named in `text`, one `group:artifact:version sha256` per line; `#` begins a comment."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    return tuple(Jar(*line.replace(":", " ").split()) for line in lines if line.strip())


def listed_jars() -> tuple[Jar, ...]:
    """The committed list."""
    return read_list((files("darkroom.local") / "kafka_jars.txt").read_text())


def tools_jars() -> tuple[Jar, ...]:
    """The committed list of what Kafka's command line tools need besides."""
    return read_list((files("darkroom.local") / "kafka_tools_jars.txt").read_text())


def kafka_version(jars: Iterable[Jar]) -> str:
    """The version of Kafka that these jars are."""
    return next(jar.version for jar in jars if jar.artifact.startswith(("kafka_", "kafka-tools")))


def fetch_jars(environ: Mapping[str, str], say: Say) -> Path:
    """The folder in the user's cache that holds the whole list, fetched now as far as it is not there yet.

    When it is complete this costs a few milliseconds. Two at once share the work of one. `LocalError` names the jar
    that could not be had.
    """
    return complete_folder(cache_folder(environ), listed_jars(), say, fetch_from_maven)


def tools_classpath(environ: Mapping[str, str], say: Say) -> str:
    """Where Java finds Kafka's command line tools: their own jars, then the broker's. Fetched now as far as need be."""
    own, brokers = tools_jars(), listed_jars()
    first = complete_folder(cache_folder(environ), own, say, fetch_from_maven)
    then = fetch_jars(environ, say)
    return os.pathsep.join([str(first / jar.file_name) for jar in own] + [str(then / jar.file_name) for jar in brokers])


def complete_folder(cache: Path, jars: tuple[Jar, ...], say: Say, fetch: Fetch) -> Path:
    """The folder under `cache` with all of `jars` in it; `fetch` brings what is missing or damaged."""
    folder = cache / f"kafka-{kafka_version(jars)}"
    if _is_complete(folder, jars):
        return folder
    with only_one(usable_folder(cache, setting="DARKROOM_CACHE")):
        try:
            folder.mkdir(exist_ok=True)
            for left_by_a_kill in folder.glob(".fetch-*"):
                shutil.rmtree(left_by_a_kill)
            missing = [jar for jar in jars if not _is_good(folder / jar.file_name, jar)]
            if missing:
                say(f"fetching Kafka {kafka_version(jars)}: {len(missing)} jars")
                _fetch_all(folder, missing, fetch)
            write_whole(folder / "complete", _stamp(folder, jars))
        except OSError as error:
            raise cannot_write(folder, error, setting="DARKROOM_CACHE") from error
    return folder


def fetch_from_maven(jar: Jar, empty: Path) -> Path:
    """Fetch one jar with jgo, which knows where the repository is. It resolves nothing and checks nothing."""
    from jgo.maven import MavenContext  # takes 0.3 s, which only a cold start should pay

    maven = MavenContext(repo_cache=empty, timeout=30)
    artifact = maven.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    return Path(artifact.resolve())


def _fetch_all(folder: Path, jars: list[Jar], fetch: Fetch) -> None:
    with ThreadPoolExecutor(_THREADS) as threads:
        waiting = [threads.submit(partial(_fetch_checked, folder, jar, fetch)) for jar in jars]
        try:
            for one in waiting:
                one.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_checked(folder: Path, jar: Jar, fetch: Fetch) -> None:
    """Put `jar` in `folder` if what comes has its hash; what does not is thrown away and fetched once more."""
    reason = ""
    for _ in range(2):
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as empty:
            try:
                came = fetch(jar, Path(empty))
            except Exception as error:  # jgo and requests raise many kinds, and nearly all mean the same here
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                reason = f"{type(error).__name__}: check the network, or the proxy settings"
                continue
            if _is_good(came, jar):
                shutil.move(came, folder / jar.file_name)
                return
            reason = "what came has another sha256 than kafka_jars.txt: something on the way changes downloads"
    raise LocalError(f"cannot fetch {jar.group}:{jar.artifact}:{jar.version} ({reason}), then try again")


def _is_good(path: Path, jar: Jar) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256


def _is_complete(folder: Path, jars: tuple[Jar, ...]) -> bool:
    """Whether `folder` was checked jar by jar for this very list, and no file has changed its size since."""
    try:
        return (folder / "complete").read_text() == _stamp(folder, jars)
    except OSError:
        return False


def _stamp(folder: Path, jars: tuple[Jar, ...]) -> str:
    return "".join(f"{jar.sha256} {(folder / jar.file_name).stat().st_size} {jar.file_name}\n" for jar in jars)
