"""The local Kafka: the real broker, as one JVM on Apache Kafka's own jars."""

import base64
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from darkroom.local.cache import cache_folder, cannot_write, usable_folder, write_whole
from darkroom.local.jars import fetch_jars, kafka_version, listed_jars
from darkroom.local.java import class_archives, find_java
from darkroom.local.kafka_config import java_flags, log4j_properties, server_properties, tool_flags
from darkroom.local.part import LocalError, Part
from darkroom.local.ports import HOST
from darkroom.local.prepare import Say, exchange, nobody_listens, plain_environment, require_unix, run_to_end

# Metadata, version 1, about no topic: who are the brokers? A broker that is up but still fenced names none.
_CORRELATION = b"dark"
_REQUEST = b"\x00\x03" + b"\x00\x01" + _CORRELATION + b"\xff\xff" + b"\x00\x00\x00\x00"
_WHO_IS_THERE = len(_REQUEST).to_bytes(4) + _REQUEST


def kafka_part(
    home: Path, port: int, controller_port: int, environ: Mapping[str, str], say: Say = nobody_listens
) -> Part:
    """A broker that keeps its log in `home`/kafka, over restarts and kills.

    The first time this fetches the jars and formats the log, which takes seconds. `LocalError` escapes when either
    cannot be done, or when what lies in `home`/kafka is not this broker's.
    """
    require_unix()
    java = find_java()
    jars = fetch_jars(environ, say)
    folder = usable_folder((home / "kafka").absolute(), setting="DARKROOM_HOME")
    classpath = os.pathsep.join(str(jars / jar.file_name) for jar in listed_jars())
    env = plain_environment(environ, CLASSPATH=classpath)  # here, because 45 paths would fill the process list
    try:
        scratch = _empty(folder / "tmp")
        write_whole(folder / "log4j2.properties", log4j_properties())
        write_whole(folder / "server.properties", server_properties(port, controller_port))
        archives = class_archives(cache_folder(environ), java, kafka_version(listed_jars()), env)
        _format_once(folder, controller_port, (str(java), *tool_flags(archives)), env, say)
    except OSError as error:
        raise cannot_write(folder, error, setting="DARKROOM_HOME") from error

    async def ready() -> bool:
        return names_a_broker(await exchange(port, _WHO_IS_THERE))

    return Part(
        name="kafka",
        argv=(str(java), *java_flags(archives, scratch), "kafka.Kafka", "server.properties"),
        env=env,
        port=port,
        url=f"{HOST}:{port}",
        ready=ready,
        cwd=folder,
    )


def names_a_broker(answer: bytes) -> bool:
    """Whether `answer` is a Metadata answer to us that names at least one broker open for work."""
    return answer[4:8] == _CORRELATION and int.from_bytes(answer[8:12]) > 0


@dataclass(frozen=True)
class Origin:
    """Which Kafka a log was made by: written before the log is, compared ever after."""

    version: str
    cluster_id: str

    @classmethod
    def new(cls) -> Self:
        random = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # Kafka's tools would take a leading dash for an option.
        return cls(kafka_version(listed_jars()), random.replace("-", "D"))

    @classmethod
    def read(cls, text: str) -> Self:
        version, cluster_id = text.split()
        return cls(version, cluster_id)


def why_foreign(origin: Origin, meta: Mapping[str, str], version: str) -> str | None:
    """Why a broker of `version` must not open a log of `origin` that calls itself `meta`; None when it may."""
    if meta.get("version") != "1" or meta.get("node.id") != "1":
        return f"it has format {meta.get('version')} and node {meta.get('node.id')}, not 1 and 1"
    if meta.get("cluster.id") != origin.cluster_id:
        return f"it belongs to cluster {meta.get('cluster.id')}, not {origin.cluster_id}"
    if _numbers(origin.version) > _numbers(version):
        return f"Kafka {origin.version} made it, and this is {version}"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _format_once(folder: Path, controller_port: int, java: Sequence[str], env: Mapping[str, str], say: Say) -> None:
    """Make the broker's log if there is none, else check that it is ours. A kill in the middle leaves none."""
    data, new = folder / "data", folder / "data.new"
    version = kafka_version(listed_jars())
    if data.exists():
        reason = _why_foreign_folder(folder, version)
        if reason:
            raise LocalError(f"{data} cannot be used: {reason}. Move {folder} away, or name another DARKROOM_HOME")
        return
    say(f"formatting Kafka's log in {data}")
    origin = Origin.new()
    write_whole(folder / "origin", f"{origin.version} {origin.cluster_id}\n")
    shutil.rmtree(new, ignore_errors=True)
    write_whole(folder / "format.properties", server_properties(0, controller_port, data=new.name))
    format_it = ("kafka.tools.StorageTool", "format", "-t", origin.cluster_id, "-c", "format.properties")
    run_to_end("formatting Kafka's log", (*java, *format_it), env, cwd=folder)
    new.rename(data)
    (folder / "format.properties").unlink()


def _why_foreign_folder(folder: Path, version: str) -> str | None:
    try:
        origin = Origin.read((folder / "origin").read_text())
        lines = (folder / "data" / "meta.properties").read_text().splitlines()
    except (FileNotFoundError, ValueError) as error:
        return f"it does not say what made it ({error})"
    meta = dict(line.split("=", 1) for line in lines if "=" in line)
    return why_foreign(origin, meta, version)


def _empty(folder: Path) -> Path:
    """A folder with nothing in it: a killed JVM leaves its unpacked libraries."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
