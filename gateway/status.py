"""What a job's owner may know of it, read so that whoever was answered 202 is never answered 404."""

import asyncio
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from gateway.log_tail import LogTail, TooFarBehindError
from gateway.problems import no_such_job, unavailable
from gateway.signing import Signer
from gateway.store import PATIENCE, Store
from schemas.events import JobRequested
from schemas.identity import partition_of
from schemas.jobs import Job, pending_job
from schemas.wire import NewerVersionError
from stage.database import PASSING, within
from stage.kafka import LogEnds


class StatusReader:
    """Reads jobs from the ledger's views, and from the log what the ledger has not read yet."""

    def __init__(self, store: Store, ends: LogEnds, tail: LogTail, signer: Signer) -> None:
        self._store, self._ends, self._tail, self._signer = store, ends, tail, signer

    async def read(self, raw_id: str, tenant: str) -> Job:
        """The job, with links to what is stored. Raises what `find` raises."""
        return self._with_links(await self.find(raw_id, tenant))

    async def find(self, raw_id: str, tenant: str) -> Job:
        """The job, without links.

        Raises 404 only when the log surely holds no such request of this tenant, 503 when that cannot be said.
        """
        try:
            job_id = UUID(raw_id)
        except ValueError:
            raise no_such_job(raw_id) from None
        try:
            job = await within(PATIENCE, self._store.job(job_id, tenant))
            job = job or await self._beyond_the_ledger(job_id, tenant)
        except PASSING:
            raise unavailable("the job store does not answer") from None
        if job is None:
            raise no_such_job(raw_id)
        return job

    async def _beyond_the_ledger(self, job_id: UUID, tenant: str) -> Job | None:
        """On a miss, in this order: where the log ends, then how far the ledger is, then what lies between."""
        key = str(job_id).encode()
        place = TopicPartition(JobRequested.topic, partition_of(key))
        try:
            async with asyncio.timeout(PATIENCE):
                end = (await self._ends.ends([place]))[place]
            job, following = await within(PATIENCE, self._store.job_and_next(job_id, tenant, place.partition))
            if job is not None or following >= end:
                return job
            found = await self._tail.find(key, place.partition, following, end)
        except (KafkaError, TimeoutError):
            raise unavailable("Kafka does not answer") from None
        except TooFarBehindError:
            raise unavailable("the ledger is catching up") from None
        except NewerVersionError:
            raise unavailable("a later version of this service has accepted the job") from None
        if found is None:
            return await within(PATIENCE, self._store.job(job_id, tenant))
        return _pending(found) if found.tenant == tenant else None

    def _with_links(self, job: Job) -> Job:
        linked = []
        for media in job.media:
            if media.s3_key is None or media.removed:
                linked.append(media)
                continue
            url, expires_at = self._signer.link(media.s3_key)
            content = content_path(job.job_id, media.index)
            links = {"presigned_media_url": url, "url_expires_at": expires_at, "content_url": content}
            linked.append(media.model_copy(update=links))
        return job.model_copy(update={"media": tuple(linked)})


def content_path(job_id: UUID, index: int) -> str:
    """Where our own link to a stored output leads from."""
    return f"/api/v1/jobs/{job_id}/outputs/{index}/content"


def _pending(request: JobRequested) -> Job:
    return pending_job(
        job_id=request.job_id, model=request.model, prompt=request.prompt, num_outputs=request.num_outputs,
        seed=request.seed, output_format=request.output_format, input=request.input, metadata=request.metadata,
        max_attempts=request.max_attempts, deadline=request.deadline, created_at=request.occurred_at,
    )  # fmt: skip
