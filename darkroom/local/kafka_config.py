"""How the local broker is set up. Pure: what the files say and which flags the JVM gets, no disk and no process."""

import os
from collections.abc import Sequence
from pathlib import Path

from darkroom.local.ports import HOST

CLIENTS = "CLIENT"
CONTROLLERS = "CONTROLLER"


def server_properties(port: int, controller_port: int, *, data: str = "data") -> str:
    """One node that is broker and controller, for this machine only. `data` is relative to where the broker runs."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": f"{CLIENTS}://{HOST}:{port},{CONTROLLERS}://{HOST}:{controller_port}",
        "advertised.listeners": f"{CLIENTS}://{HOST}:{port}",
        "listener.security.protocol.map": f"{CLIENTS}:PLAINTEXT,{CONTROLLERS}:PLAINTEXT",
        "inter.broker.listener.name": CLIENTS,
        "controller.listener.names": CONTROLLERS,
        # Voters by configuration, not in the log: both ports may then change from run to run.
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "log.dirs": data,
        # Topics are made by `darkroom topics apply` alone; a mistyped name is an error.
        "auto.create.topics.enable": "false",
        # One node cannot keep three copies.
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        # The first member of a group need not wait for others (3 s by default).
        "group.initial.rebalance.delay.ms": 0,
        # After kill -9 the broker waits for its own old session to end: 12.4 s by default, 3.3 s with these.
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 500,
        # An idle controller writes a record each time this passes (0.5 s by default).
        "metadata.max.idle.interval.ms": 5000,
        # Small: the cleaner's buffer is 128 MB by default, and each partition's two indexes are 10 MB each.
        "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
        "log.index.size.max.bytes": 1024 * 1024,
        "num.network.threads": 2,
        "num.io.threads": 4,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def log4j_properties() -> str:
    """Warnings and worse on standard output, where the supervisor keeps them; no files of its own."""
    return """\
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
# Its one line per start says "Kafka Server started"; the rest repeats every setting.
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


def java_flags(archives: str, scratch: Path) -> Sequence[str]:
    """What the broker's JVM is told. `archives` hold classes ready to map; native libraries are unpacked in `scratch`.

    The JVM writes the second archive itself, at the first orderly stop (which then takes 2.6 s longer), and again when
    it does not fit or is damaged.
    """
    return (
        "-Xmx256m",
        "-Xss512k",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+AutoCreateSharedArchive",
        "-XX:+VerifySharedSpaces",  # a damaged archive is left aside; unchecked, it crashes each JVM that maps it
        f"-XX:SharedArchiveFile={archives}",
        # Out of memory, a JVM limps on with threads missing: better it dies and is started again.
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",  # keeps a file per process in the shared temporary folder
        "-XX:ErrorFile=crash.log",
        "--sun-misc-unsafe-memory-access=allow",  # Kafka unmaps its indexes that way; Java warns at each start
        "-Xlog:disable",
        "-Djava.awt.headless=true",
        f"-Djava.io.tmpdir={scratch}",
        "-Dlog4j2.configurationFile=log4j2.properties",
    )


def tool_flags(archives: str) -> Sequence[str]:
    """What the JVM of a short program is told: to use what archive there is, and to write none."""
    return (
        "-Xmx128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        f"-XX:SharedArchiveFile={archives.partition(os.pathsep)[0]}",
        "-Xlog:disable",
    )
