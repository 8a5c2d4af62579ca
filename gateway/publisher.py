"""Accepting a job: once this returns, Kafka has it."""

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter

from schemas.events import Event
from schemas.wire import RecordTooLargeError, encode
from stage.kafka import publish
from stage.telemetry import get_logger

log = get_logger(__name__)

SAID = Counter("darkroom_facts_accepted", "Facts that Kafka has acknowledged: `job.requested` for a job", ["topic"])
UNSAID = Counter("darkroom_facts_unacknowledged", "Facts that Kafka did not acknowledge in time", ["topic"])


class NotAcknowledgedError(Exception):
    """Kafka did not say in time that it has the request. It may have it nevertheless: unknown, not failed."""


class Publisher:
    """Publishes requests."""

    def __init__(self, producer: AIOKafkaProducer, timeout: float) -> None:
        self._producer, self._timeout = producer, timeout

    async def accept(self, fact: Event) -> None:
        """Return once every in-sync replica has the fact. Under one id it may be said again at any time.

        Raises `NotAcknowledgedError`, and `RecordTooLargeError` when it does not fit a record.
        """
        record = encode(fact, source="gateway")
        try:
            await publish(self._producer, [record], timeout=self._timeout)
        except (KafkaError, TimeoutError) as fault:
            log.warning(
                "a fact was not acknowledged", topic=fact.topic, job_id=str(fact.job_id), fault=type(fault).__name__
            )
            UNSAID.labels(fact.topic).inc()
            raise NotAcknowledgedError from fault
        SAID.labels(fact.topic).inc()


__all__ = ["NotAcknowledgedError", "Publisher", "RecordTooLargeError"]
