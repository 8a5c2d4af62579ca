"""A request is found in a real log wherever it lies, once or often, and the first one that can be read counts."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

import gateway.log_tail
from darkroom.local.stack import Stack
from gateway.log_tail import LogTail, TooFarBehindError
from schemas.clock import utc_now
from schemas.events import JobRequested
from schemas.identity import partition_of
from schemas.wire import NewerVersionError, encode
from stage.settings import KafkaSettings
from tests.pipeline.driver import until

MOST = 5_000
PROMPT = "a lake"


class Log:
    """Requests as a gateway would publish them."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def put(self, job_id: UUID, prompt: str = PROMPT, value: bytes | None = None) -> tuple[bytes, int, int]:
        """Put a request into the log, or another value under its key; its key, and its place."""
        request = JobRequested.say(job_id, "dev", utc_now(), model="m", prompt=prompt, num_outputs=1)
        record = encode(request, source="gateway")
        ack = await (await self._producer.send(record.topic, value or record.value, record.key, record.partition))
        assert record.key is not None
        return record.key, ack.partition, ack.offset


@pytest.fixture
async def log(servers: Stack) -> AsyncIterator[Log]:
    async with AIOKafkaProducer(bootstrap_servers=servers.environ["KAFKA_BOOTSTRAP_SERVERS"]) as producer:
        yield Log(producer)


@pytest.fixture
async def tail(servers: Stack) -> AsyncIterator[LogTail]:
    tail = LogTail(KafkaSettings.model_validate(servers.environ), "test", MOST)
    yield tail
    await tail.close()


def in_partition(number: int) -> UUID:
    """A new job whose facts lie there."""
    return next(each for each in iter(uuid4, None) if partition_of(str(each).encode()) == number)


async def prompt_of(tail: LogTail, key: bytes, partition: int, start: int, end: int) -> str | None:
    found = await tail.find(key, partition, start, end)
    return found.prompt if found else None


async def test_many_who_ask_at_once_in_every_partition_are_all_answered(log: Log, tail: LogTail) -> None:
    puts = await asyncio.gather(*(log.put(uuid4(), f"lake {number}") for number in range(300)))

    found = await asyncio.gather(*(prompt_of(tail, key, where, 0, offset + 1) for key, where, offset in puts))
    nobody = await asyncio.gather(*(tail.find(b"nobody", where, 0, offset + 1) for _, where, offset in puts))

    assert found == [f"lake {number}" for number in range(300)]
    assert set(nobody) == {None}


async def test_of_two_requests_of_one_job_the_first_that_can_be_read_is_found(log: Log, tail: LogTail) -> None:
    job_id = uuid4()
    _, _, unreadable = await log.put(job_id, value=b"nonsense")
    await log.put(job_id, "the first")
    key, partition, last = await log.put(job_id, "the second")

    assert await prompt_of(tail, key, partition, unreadable, last + 1) == "the first"
    assert await prompt_of(tail, key, partition, last, last + 1) == "the second"


async def test_what_was_forgotten_is_read_again(log: Log, tail: LogTail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.log_tail, "KEPT_BYTES", 20_000)
    jobs = [in_partition(7) for _ in range(60)]
    puts = [await log.put(job_id, f"lake {number}") for number, job_id in enumerate(jobs)]
    begin, end = puts[0][2], puts[-1][2] + 1

    found = await asyncio.gather(*(prompt_of(tail, key, 7, begin, end) for key, _, _ in puts))

    assert found == [f"lake {number}" for number in range(60)]


async def test_a_log_that_nobody_asks_about_is_not_followed_and_is_again_when_somebody_does(
    log: Log, tail: LogTail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.log_tail, "IDLE_SECONDS", 0.1)
    key, partition, offset = await log.put(uuid4())
    first = await prompt_of(tail, key, partition, offset, offset + 1)

    async def idle() -> bool:
        return not tail.following

    await until(idle, 5, "the tail to rest")

    assert (first, await prompt_of(tail, key, partition, offset, offset + 1)) == (PROMPT, PROMPT)


async def test_a_request_of_a_later_version_is_not_called_missing(log: Log, tail: LogTail) -> None:
    key, partition, offset = await log.put(uuid4(), value=b'{"v": 2, "type": "job.requested"}')

    with pytest.raises(NewerVersionError):
        await tail.find(key, partition, offset, offset + 1)


async def test_a_stretch_that_is_too_long_is_not_read(tail: LogTail) -> None:
    with pytest.raises(TooFarBehindError):
        await tail.find(b"nobody", 0, 0, MOST + 1)

    assert not tail.following


async def test_without_kafka_nothing_is_said_to_be_missing_and_with_it_all_is_found(
    servers: Stack, log: Log, tail: LogTail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.log_tail, "SCAN_SECONDS", 1.0)
    key, partition, offset = await log.put(uuid4())
    await servers.stop("kafka")
    try:
        with pytest.raises((KafkaError, TimeoutError)):
            await tail.find(key, partition, offset, offset + 1)
    finally:
        await servers.start("kafka")

    async def found() -> bool:
        try:
            return await prompt_of(tail, key, partition, offset, offset + 1) == PROMPT
        except (KafkaError, TimeoutError):
            return False

    await until(found, 20, "the request to be found")
