"""Accepting a job: done once Kafka says so, unknown when it does not."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from gateway.publisher import NotAcknowledgedError, Publisher
from schemas.wire import RecordTooLargeError, decode
from tests.builders import a_request, at
from tests.fakes import Log


async def test_a_request_is_accepted_once_it_is_acknowledged() -> None:
    log = Log()

    await Publisher(log, timeout=1).accept(a_request())

    [record] = log.records
    assert decode(at(a_request()), record.key, record.value, record.headers) == a_request()
    assert (record.topic, record.partition) == ("job.requested", at(a_request()).partition)
    assert dict(record.headers)["ce_source"] == b"/darkroom/gateway"


@pytest.mark.parametrize("fault", [KafkaConnectionError(), MessageSizeTooLargeError(), TimeoutError()], ids=repr)
async def test_a_request_that_was_not_acknowledged_is_not_accepted(fault: Exception) -> None:
    with pytest.raises(NotAcknowledgedError):
        await Publisher(Log(fault=fault), timeout=1).accept(a_request())


async def test_kafka_is_not_waited_for_longer_than_the_timeout() -> None:
    async with asyncio.timeout(1):
        with pytest.raises(NotAcknowledgedError):
            await Publisher(Log(silent=True), timeout=0.05).accept(a_request())


async def test_a_request_too_large_for_a_record_is_refused_before_kafka_hears_of_it() -> None:
    log = Log()

    with pytest.raises(RecordTooLargeError):
        await Publisher(log, timeout=1).accept(a_request(prompt="x" * 300_000))
    assert log.records == []
