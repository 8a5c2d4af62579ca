"""What a job's owner may know of it, read so that whoever was answered 202 is never answered 404."""

import asyncio
from http import HTTPStatus
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from gateway.answers import Answer, Answers, Links, job_of
from gateway.log_tail import LogTail, TooFarBehindError
from gateway.problems import Problem, no_such_job, unavailable
from gateway.signing import Signer
from gateway.store import PATIENCE, Row, Store
from schemas.events import JobRequested
from schemas.identity import partition_of
from schemas.jobs import Job, pending_job
from schemas.wire import NewerVersionError
from stage.database import PASSING, within
from stage.kafka import LogEnds

NO_ANSWER = (KafkaError, OSError)  # a time that is over is an OSError as well


class StatusReader:
    """Reads jobs from the ledger's views, and from the log what the ledger has not read yet."""

    def __init__(self, store: Store, ends: LogEnds, tail: LogTail, signer: Signer) -> None:
        self._store, self._ends, self._tail, self._answers = store, ends, tail, Answers(signer)

    async def answer(self, raw_id: str, tenant: str) -> Answer:
        """The job as it is sent, with links to what is stored. Raises what `find` raises."""
        found = await self._found(raw_id, tenant)
        return Answer.of(_pending(found)) if isinstance(found, JobRequested) else self._answers.of(found)

    async def read(self, raw_id: str, tenant: str) -> Job:
        """The job, with links to what is stored. Raises what `find` raises."""
        return _job(await self._found(raw_id, tenant), self._answers.links)

    async def find(self, raw_id: str, tenant: str) -> Job:
        """The job, without links.

        Raises 404 only when the log surely holds no such request of this tenant, 503 when that cannot be said.
        """
        return _job(await self._found(raw_id, tenant))

    async def accepted(self, job_id: UUID, tenant: str) -> bool | None:
        """Whether this job was accepted; None when that cannot be said now."""
        try:
            await self._found(str(job_id), tenant)
        except Problem as problem:
            return False if problem.status == HTTPStatus.NOT_FOUND else None
        return True

    async def _found(self, raw_id: str, tenant: str) -> Row | JobRequested:
        """What the ledger knows of the job, or the log while the ledger does not know it yet."""
        try:
            job_id = UUID(raw_id)
        except ValueError:
            raise no_such_job(raw_id) from None
        try:
            found = await self._store.job(job_id, tenant) or await self._beyond_the_ledger(job_id, tenant)
        except PASSING:
            raise unavailable("the job store does not answer") from None
        if found is None:
            raise no_such_job(raw_id)
        return found

    async def _beyond_the_ledger(self, job_id: UUID, tenant: str) -> Row | JobRequested | None:
        """On a miss, in this order: where the log ends, then how far the ledger is, then what lies between.

        A fault of the job store escapes as it is, any other one as a problem.
        """
        key = str(job_id).encode()
        place = TopicPartition(JobRequested.topic, partition_of(key))
        end = await self._end(place)
        row, following = await within(PATIENCE, self._store.job_and_next(job_id, tenant, place.partition))
        if row is not None or following >= end:
            return row
        found = await self._in_the_log(key, place.partition, following, end)
        if found is None:
            return await self._store.job(job_id, tenant)
        return found if found.tenant == tenant else None

    async def _end(self, place: TopicPartition) -> int:
        try:
            async with asyncio.timeout(PATIENCE):
                return (await self._ends.ends([place]))[place]
        except NO_ANSWER:
            raise unavailable("Kafka does not answer") from None

    async def _in_the_log(self, key: bytes, partition: int, start: int, end: int) -> JobRequested | None:
        try:
            return await self._tail.find(key, partition, start, end)
        except NO_ANSWER:
            raise unavailable("Kafka does not answer") from None
        except TooFarBehindError:
            raise unavailable("the ledger is catching up") from None
        except NewerVersionError:
            raise unavailable("a later version of this service has accepted the job") from None


def _job(found: Row | JobRequested, links: Links | None = None) -> Job:
    return _pending(found) if isinstance(found, JobRequested) else job_of(found, links)


def _pending(request: JobRequested) -> Job:
    return pending_job(
        job_id=request.job_id, model=request.model, prompt=request.prompt, num_outputs=request.num_outputs,
        seed=request.seed, output_format=request.output_format, input=request.input, metadata=request.metadata,
        max_attempts=request.max_attempts, deadline=request.deadline, created_at=request.occurred_at,
    )  # fmt: skip
