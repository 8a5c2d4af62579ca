"""What the records of a batch say."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord

from schemas.events import Event
from schemas.wire import Position, Record, UnreadableRecordError, dead_letter, decode
from stage.database import Connection
from stage.telemetry import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """A fact, and where in the log it stands."""

    position: Position
    event: Event


Handler = Callable[[Connection, Sequence[Heard]], Awaitable[None]]
"""Writes what a batch means. Runs inside the transaction that also moves the offsets; must not commit or wait."""


def read(records: Iterable[ConsumerRecord[Any, Any]]) -> tuple[list[Heard], list[Record]]:
    """The facts that can be read, and the dead letters of those that cannot."""
    heard: list[Heard] = []
    unreadable: list[Record] = []
    for record in records:
        position = Position(record.topic, record.partition, record.offset)
        try:
            heard.append(Heard(position, decode(position, record.key, record.value, record.headers)))
        except UnreadableRecordError as why:
            log.warning("a record is unreadable", topic=record.topic, partition=record.partition,
                        offset=record.offset, reason=str(why))  # fmt: skip
            unreadable.append(dead_letter(position, record.key, record.value, record.headers, str(why)))
    return heard, unreadable
