"""The topics: one per fact, and what each must be in a cluster."""

from dataclasses import dataclass

from schemas.events import FACTS, JobRequested, ProviderCalledBack
from schemas.identity import PARTITIONS

DEAD_LETTERS = "dlq"
MAX_MESSAGE_BYTES = 256 * 1_024
"""Above what producers send (`wire.RECORD_BYTES`), with room for headers."""

FOR_EVER = "-1"
A_WEEK = str(7 * 24 * 3_600 * 1_000)  # milliseconds: a doorbell nobody heard in a week is replaced by asking

EXPIRING = frozenset({ProviderCalledBack.topic})
"""Whose records go after a week, read or not: nothing is lost with them."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as `darkroom topics apply` makes it."""

    name: str
    partitions: int
    config: dict[str, str]


def topics(replication: int) -> tuple[Topic, ...]:
    """Every topic, for a cluster that keeps `replication` copies.

    Facts are kept for ever and never compacted: the projections can be rebuilt from them. With one copy only,
    an accepted request is flushed to disk before it is acknowledged.
    """
    kept = {
        "cleanup.policy": "delete",
        "retention.ms": FOR_EVER,
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "min.insync.replicas": str(max(1, replication - 1)),
    }
    flushed = {"flush.messages": "1"} if replication == 1 else {}
    special = {JobRequested.topic: flushed} | {name: {"retention.ms": A_WEEK} for name in EXPIRING}
    facts = tuple(Topic(name, PARTITIONS, kept | special.get(name, {})) for name in FACTS)
    # A dead letter is the untouched record and a note: it needs more room than what it carries.
    return (*facts, Topic(DEAD_LETTERS, 3, kept | {"max.message.bytes": str(2 * MAX_MESSAGE_BYTES)}))
