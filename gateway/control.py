"""What an owner may do to a job that was accepted: stop paying for it, or have some of it done again."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gateway import problems
from gateway.bodies import json_body
from gateway.callers import Submitter
from gateway.problems import FieldError, invalid_fields
from gateway.publisher import NotAcknowledgedError, Publisher
from gateway.redo import redo
from gateway.routes import JobId
from gateway.status import StatusReader
from gateway.store import Store
from schemas.clock import Clock
from schemas.events import CancelRequested, Event, Index, RetryRequested, Revision
from schemas.jobs import Job
from stage.database import PASSING

BODY_BYTES = 16 * 1_024
"""Far more than all that can be said of ten outputs."""


class OutputAgain(BaseModel):
    """An output to have again, and from where on, when that is not to be chosen for you."""

    model_config = ConfigDict(extra="forbid", validate_by_name=True, validate_by_alias=True)

    index: Index = Field(description="Which output, counted from 0.")
    start: Literal["generate", "store"] | None = Field(
        None,
        alias="from",
        description="`store`: what was made is stored again, free. `generate`: it is made again, and paid for again. "
        "Left out: whatever is free, when that can help.",
    )


class RetryAsk(BaseModel):
    """What to do again. Only `revision` is needed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"revision": 1},
                {"revision": 1, "outputs": [{"index": 2}], "confirm_cost": True},
                {"revision": 2, "outputs": [{"index": 0, "from": "store"}]},
            ]
        },
    )

    revision: Revision = Field(description="The revision that you saw, as the job's status names it.")
    outputs: list[OutputAgain] | None = Field(
        None, min_length=1, max_length=10,
        description="The outputs to have again. Left out: every one that is not stored. One that is stored is stored "
        "again, under a new key, only when it is named.",
    )  # fmt: skip
    confirm_cost: bool = Field(False, description="True: outputs that must be generated again may be paid for again.")

    @field_validator("outputs")
    @classmethod
    def _each_once(cls, outputs: list[OutputAgain] | None) -> list[OutputAgain] | None:
        if outputs and len({each.index for each in outputs}) < len(outputs):
            raise ValueError("names an output twice")
        return outputs


class RetryAccepted(BaseModel):
    """A new revision of a job, which will reach a final status like the one before."""

    job_id: UUID = Field(description="The job: its id stays.")
    revision: int = Field(
        description="The new one. The job's status shows it within a moment: give it as `revision` to wait for its end."
    )
    outputs: list[OutputAgain] = Field(description="What is done again, and from where on.")
    message: str = Field("Retry accepted and queued for processing", description="The same in words.")
    links: dict[str, str] = Field(description="Where to look next.")


def control(publisher: Publisher, reader: StatusReader, store: Store, now: Clock) -> APIRouter:
    """The routes that change the course of one job."""
    router = APIRouter(prefix="/api/v1/jobs/{job_id}", tags=["jobs"])

    @router.post(
        "/cancel", status_code=202, summary="Stop paying for a job",
        responses=problems.responses(401, 403, 404, 409, 422, 429, 503)
        | {200: {"model": Job, "description": "The job was over already: nothing is left to stop."}},
    )  # fmt: skip
    async def cancel(
        caller: Submitter,
        job_id: JobId,
        response: Response,
        revision: Annotated[
            Revision | None,
            Query(
                description="Which revision to stop. Left out: the one that the job's status shows. After a retry give "
                "the one that it was answered with: the status may not show it yet.",
                examples=[2],
            ),
        ] = None,
    ) -> Job:
        """Ask no provider for anything more, and ask those that work on it to stop.

        What was made already is stored and served all the same, so the job may still end as COMPLETED or PARTIAL. The
        answer is the job as it is now; its status says how it ends. Asking again changes nothing.
        """
        job = await reader.read(job_id, caller.tenant)
        if revision not in _could_run(job):
            raise problems.revision_conflict(job.job_id, job.revision, done=job.done)
        if job.done and revision in (None, job.revision):
            response.status_code = 200
            return job
        stopped = revision or job.revision
        await _accept(publisher, CancelRequested.say(job.job_id, caller.tenant, now(), revision=stopped))
        return job

    @router.post(
        "/retry", status_code=202, summary="Do some of a job again",
        responses=problems.responses(401, 403, 404, 409, 410, 413, 415, 422, 429, 503),
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {
            "schema": RetryAsk.model_json_schema(ref_template="#/components/schemas/{model}")}}}},
    )  # fmt: skip
    async def retry(caller: Submitter, request: Request, job_id: JobId) -> RetryAccepted:
        """Begin a new revision of a job that is done. Outputs that are not done again keep what they have.

        An output that was made and could not be stored is stored again, free. One that was never made, or whose source
        is gone, is generated again only with `confirm_cost: true`. Asking twice about one revision makes one new one.
        """
        ask = await _read(request)
        job = await reader.find(job_id, caller.tenant)
        if not job.done or job.revision != ask.revision:
            raise problems.revision_conflict(job.job_id, job.revision, done=job.done)
        if job.data_removed_at is not None:
            raise problems.job_data_removed(job.job_id)
        try:
            made = await store.made_outputs(job.job_id)
        except PASSING:
            raise problems.unavailable("the job store does not answer") from None
        named = None if ask.outputs is None else {each.index: each.start for each in ask.outputs}
        again = redo(job, made, named, confirm_cost=ask.confirm_cost)
        await _accept(
            publisher,
            RetryRequested.say(job.job_id, caller.tenant, now(), revision=job.revision + 1, outputs=tuple(again)),
        )
        return RetryAccepted(
            job_id=job.job_id, revision=job.revision + 1,
            outputs=[OutputAgain(index=each.index, start=each.start) for each in again],
            links={
                "status": f"/api/v1/status/{job.job_id}", "history": f"/api/v1/jobs/{job.job_id}/history",
                "cancel": f"/api/v1/jobs/{job.job_id}/cancel?revision={job.revision + 1}",
            },
        )  # fmt: skip

    return router


def _could_run(job: Job) -> tuple[int | None, ...]:
    """Which revisions can be stopped: the one that is known, and behind its end the one that a retry may just have
    begun. None stands for the known one.
    """
    return (None, job.revision, job.revision + 1) if job.done else (None, job.revision)


async def _read(request: Request) -> RetryAsk:
    body = await json_body(request, BODY_BYTES)
    try:
        return RetryAsk.model_validate_json(body)
    except ValidationError as wrong:
        raise invalid_fields([FieldError.of(error) for error in wrong.errors(include_input=False)]) from None


async def _accept(publisher: Publisher, fact: Event) -> None:
    try:
        await publisher.accept(fact)
    except NotAcknowledgedError:
        raise problems.unavailable("Kafka did not acknowledge it in time: ask again, it stays one") from None
