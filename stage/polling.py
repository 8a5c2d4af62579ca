"""In what order a consumer takes the records that wait for it."""

from itertools import groupby
from operator import attrgetter
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

STEP = 20
"""Records of one place at a time. Of a backlog of jobs of ten facts, 100 had two thirds written twice, 20 a quarter,
and 10 as many.
"""

Records = dict[TopicPartition, list[Any]]


class PatientConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Waits for records as long as it takes. FastStream sleeps after an empty fetch, which would delay the next.

    Of a backlog it takes one partition number after the other, each of every topic and all of these in step, by the
    time when records were said: the facts of a job come together, so that its rows are written once and not again for
    each topic. No number fills more than half of a batch, so that there are two that can be worked on at once.
    """

    _turn = 0

    def __init__(self, **told: Any) -> None:
        super().__init__(**told)
        self._awaited: set[TopicPartition] = set()

    async def getmany(self, *_: Any, max_records: int, **__: Any) -> Any:
        while True:
            records: Records = {}
            await self._add_waiting(records, max_records)
            if not records:
                records = await super().getmany(timeout_ms=10_000, max_records=min(STEP, max_records))
                if left := max_records - sum(map(len, records.values())):
                    await self._add_waiting(records, left)
            if records:
                return records

    async def _add_waiting(self, records: Records, room: int) -> None:
        """Add what was fetched already, up to so many."""
        half = -(-room // 2)
        for places in self._by_number():
            try:
                room -= await self._add(records, places, min(half, room))
            except KafkaError:
                if records:
                    break  # they would be lost; a fault that stays is met again
                raise
            if room == 0:
                break

    async def _add(self, records: Records, places: list[TopicPartition], room: int) -> int:
        """Add at most `room` of these places' records, whichever was said first, and return how many were added."""
        assigned = self.assignment()
        ends = {place: self.highwater(place) for place in places if place in assigned}  # None: never fetched from
        reached = {
            place: 0 for place, end in ends.items() if end is None or await self.position(place) < end
        }  # fmt: skip
        left = room
        while reached and left:
            place = min(reached, key=reached.__getitem__)
            some = (await super().getmany(place, max_records=min(STEP, left))).get(place)
            if not some:
                if place not in self._awaited:
                    self._awaited.add(place)  # more of it is being fetched, and the others would run ahead
                    break
                del reached[place]  # they have waited a turn
                continue
            self._awaited.discard(place)
            records.setdefault(place, []).extend(some)
            left -= len(some)
            reached[place] = some[-1].timestamp
            if some[-1].offset + 1 >= (ends[place] or 0):
                del reached[place]
        return room - left

    def _by_number(self) -> list[list[TopicPartition]]:
        """The partitions that are read here, those of one number together. Each time another number comes first."""
        places = sorted(self.assignment(), key=attrgetter("partition"))
        numbers = [list(some) for _, some in groupby(places, attrgetter("partition"))]
        self._turn += 1
        first = self._turn % (len(numbers) or 1)
        return numbers[first:] + numbers[:first]
