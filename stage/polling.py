"""In what order a consumer takes the records that wait for it."""

from itertools import groupby
from operator import attrgetter
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError


class PatientConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Waits for records as long as it takes. FastStream sleeps after an empty fetch, which would delay the next.

    Of a backlog it takes one partition number after the other, each of every topic: the facts of a job come together,
    so that its rows are written once and not again for each topic.
    """

    _turn = 0

    async def getmany(self, *_: Any, max_records: int, **__: Any) -> Any:
        while True:
            if records := await self._waiting(max_records) or await super().getmany(
                timeout_ms=10_000, max_records=max_records
            ):
                return records

    async def _waiting(self, max_records: int) -> dict[TopicPartition, list[Any]]:
        """What was fetched already."""
        records: dict[TopicPartition, list[Any]] = {}
        for places in self._by_number():
            try:
                some = await super().getmany(*places, max_records=max_records)
            except KafkaError:
                if records:
                    break  # they would be lost; a fault that stays is met again
                raise
            records |= some
            max_records -= sum(len(taken) for taken in some.values())
            if max_records == 0:
                break
        return records

    def _by_number(self) -> list[list[TopicPartition]]:
        """The partitions that are read here, those of one number together. Each time another number comes first."""
        places = sorted(self.assignment(), key=attrgetter("partition"))
        numbers = [list(some) for _, some in groupby(places, attrgetter("partition"))]
        self._turn += 1
        first = self._turn % (len(numbers) or 1)
        return numbers[first:] + numbers[:first]
