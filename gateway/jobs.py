"""What is asked of one job beside its status: its files, and to remove them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from gateway import problems
from gateway.callers import Reader, Submitter
from gateway.publisher import NotAcknowledgedError, Publisher
from gateway.routes import JobId
from gateway.signing import Signer
from gateway.status import StatusReader
from schemas.clock import Clock
from schemas.events import DataRemoved
from schemas.jobs import Job


class RemovalAccepted(BaseModel):
    """A job whose data will be removed, whatever happens on the way."""

    job_id: UUID = Field(description="The job that it is about.")
    message: str = Field("Media, prompt and input are being removed", description="What happens, for people.")


def jobs(publisher: Publisher, reader: StatusReader, signer: Signer, now: Clock) -> APIRouter:
    """The routes below one job."""
    router = APIRouter(prefix="/api/v1/jobs/{job_id}", tags=["jobs"])

    @router.get(
        "/outputs/{index}/content", status_code=302, response_class=Response,
        response_description="`Location` leads to the file.",
        responses=problems.responses(401, 403, 404, 410, 422, 429, 503), summary="Open or download an output",
    )  # fmt: skip
    async def content(
        caller: Reader,
        job_id: JobId,
        index: Annotated[int, Path(description="Which output, counted from 0.", examples=[0])],
        download: Annotated[
            bool, Query(description="Save it under its name, rather than show it.", examples=[True])
        ] = False,
    ) -> Response:
        """Lead to the stored file, by a link that was made just now. It can be given out for as long as the file is."""
        job = await reader.find(job_id, caller.tenant)
        key = _stored_at(job, index)
        name = f"{job.job_id}-{index}.{key.rpartition('.')[2]}"
        kind = "attachment" if download else "inline"
        link = signer.named_link(key, f'{kind}; filename="{name}"')
        return Response(status_code=302, headers={"Location": link, "Cache-Control": "private"})

    @router.delete(
        "/data", status_code=202, summary="Remove a job's data",
        responses=problems.responses(401, 403, 404, 409, 429, 503),
    )  # fmt: skip
    async def remove(caller: Submitter, job_id: JobId) -> RemovalAccepted:
        """Remove the media, the prompt and the input of a job that is done. Its status and sums stay.

        A 202 means that Kafka has it: they will be gone. A repeat removes nothing more.
        """
        job = await reader.find(job_id, caller.tenant)
        if not job.done:
            raise problems.job_not_done(job.job_id)
        fact = DataRemoved.say(job.job_id, caller.tenant, now(), revision=job.revision, reason="request")
        try:
            await publisher.accept(fact)
        except NotAcknowledgedError:
            raise problems.unavailable("Kafka did not acknowledge the removal in time: ask again") from None
        return RemovalAccepted(job_id=job.job_id)

    return router


def _stored_at(job: Job, index: int) -> str:
    """The key of an output, or the problem that says why there is none."""
    media = next((media for media in job.media if media.index == index), None)
    if media is None:
        raise problems.no_such_output(index, job.num_outputs)
    if media.removed:
        raise problems.data_removed(index)
    if media.s3_key is None and media.error_code is not None:
        raise problems.never_stored(index, media.error_code)
    if media.s3_key is None:
        raise problems.not_stored_yet(index)
    return media.s3_key
