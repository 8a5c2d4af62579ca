"""A stretch of one partition, held in memory while it is followed."""

import asyncio
import sys
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from aiokafka import ConsumerRecord

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
RECORD_OVERHEAD = 1_400
"""Bytes that a record takes beside its key and value, headers included: as tracemalloc counts them."""


class _Seeker:
    """Somebody who waits until the stretch up to `end` was seen."""

    def __init__(self, key: bytes, end: int, found: list[Record]) -> None:
        self.key, self.end, self.found = key, end, found
        self.seen: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Window:
    """The records of [begins, follows) by their keys, the newest `most_bytes` of them.

    Who waits for a record is given it as it comes by, so that forgetting the oldest keeps nobody from an answer.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.one_at_a_time = asyncio.Lock()
        self._seekers: set[_Seeker] = set()
        self.begin(sys.maxsize)

    def begin(self, offset: int) -> None:
        """Forget everything: the next records are those from `offset` on."""
        self.begins = self.follows = offset
        self._bytes = 0
        self._records: deque[tuple[bytes, Record]] = deque()
        self._by_key: dict[bytes, list[Record]] = {}

    def add(self, records: Sequence[Record]) -> None:
        """Take the records that follow."""
        came: dict[bytes, list[Record]] = {}
        for record in records:
            if record.key is not None:
                came.setdefault(record.key, []).append(record)
                self._keep(record, record.key)
        self.follows = records[-1].offset + 1
        for seeker in self._seekers:
            seeker.found += came.get(seeker.key, ())
            if seeker.end <= self.follows and not seeker.seen.done():
                seeker.seen.set_result(None)
        self._forget()

    async def records(self, key: bytes, start: int, end: int) -> list[Record]:
        """Every record under `key` in [start, end), the first one first, and perhaps later ones."""
        known = list(self._by_key.get(key, ()))
        if self.follows < end:
            seeker = _Seeker(key, end, known)
            self._seekers.add(seeker)
            try:
                await seeker.seen
            finally:
                self._seekers.discard(seeker)
        return sorted((each for each in known if each.offset >= start), key=lambda each: each.offset)

    def give_up(self, fault: Exception) -> None:
        """Tell everybody who waits that nothing more comes."""
        for seeker in self._seekers:
            if not seeker.seen.done():
                seeker.seen.set_exception(fault)

    def _keep(self, record: Record, key: bytes) -> None:
        self._records.append((key, record))
        self._by_key.setdefault(key, []).append(record)
        self._bytes += _size(record)

    def _forget(self) -> None:
        while self._bytes > self._most_bytes:
            key, oldest = self._records.popleft()
            self._bytes -= _size(oldest)
            self.begins = oldest.offset + 1
            alike = self._by_key[key]
            alike.pop(0)
            if not alike:
                del self._by_key[key]


def _size(record: Record) -> int:
    return len(record.key or b"") + len(record.value or b"") + RECORD_OVERHEAD
