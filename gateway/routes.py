"""The routes people call."""

import hashlib
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, Field

from gateway.asks import JobAsk, job_named, read_ask, warnings_of
from gateway.callers import Reader, Submitter
from gateway.problems import FieldError, Problem, invalid_fields, responses, unavailable
from gateway.publisher import NotAcknowledgedError, Publisher
from gateway.status import StatusReader
from schemas.clock import Clock
from schemas.events import JobRequested
from schemas.jobs import Job, Status
from schemas.wire import RecordTooLargeError

JobId = Annotated[str, Path(description="As `/generate` gave it.")]


class JobAccepted(BaseModel):
    """A job that will reach a final status, whatever happens on the way."""

    job_id: UUID
    status: Status = Status.PENDING
    message: str = "Job created and queued for processing"
    links: dict[str, str] = Field(description="Where to look next.")
    warnings: list[str] = Field(description="What was ignored, such as unknown fields.")


def api(publisher: Publisher, reader: StatusReader, now: Clock) -> APIRouter:
    """The two routes of the original service, under the same names with the same fields."""
    router = APIRouter(prefix="/api/v1", tags=["jobs"])

    @router.post(
        "/generate", status_code=202, responses=responses(401, 403, 413, 422, 503), summary="Make media",
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {
            "schema": JobAsk.model_json_schema(ref_template="#/components/schemas/{model}")}}}},
    )  # fmt: skip
    async def generate(
        caller: Submitter,
        request: Request,
        response: Response,
        idempotency_key: Annotated[
            str | None, Header(description="Names the job: repeating the call under the same key is the same job.")
        ] = None,
    ) -> JobAccepted:
        """Accept a job. A 202 means that Kafka has it: it will reach a final status, never be lost.

        After a 503 or a lost answer call again with the `Idempotency-Key` that was sent back: one job, not two.
        """
        ask = await read_ask(request)
        job_id, key = job_named(caller.tenant, idempotency_key)
        requested = _requested(ask, job_id, caller.tenant, now)
        try:
            await publisher.accept(requested)
        except NotAcknowledgedError:
            raise unavailable(
                "Kafka did not acknowledge the job in time: send it again under the same Idempotency-Key",
                headers={"Idempotency-Key": key},
            ) from None
        except RecordTooLargeError:
            raise Problem(413, "body-too-large", "the request does not fit a record of 200 KiB") from None
        status_link = f"/api/v1/status/{job_id}"
        response.headers["Location"] = status_link
        response.headers["Idempotency-Key"] = key
        return JobAccepted(job_id=job_id, links={"status": status_link}, warnings=warnings_of(ask))

    @router.get(
        "/status/{job_id}", response_model=Job, summary="See how a job goes",
        responses=responses(401, 403, 404, 503) | {304: {"description": "Nothing has changed since."}},
    )  # fmt: skip
    async def status(
        caller: Reader,
        job_id: JobId,
        if_none_match: Annotated[
            str | None, Header(description="The `ETag` of the last answer: 304 while nothing has changed since.")
        ] = None,
    ) -> Response:
        """The job and its outputs. Readable from the moment of the 202; poll until `done`."""
        body = (await reader.read(job_id, caller.tenant)).model_dump_json().encode()
        headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"', "Cache-Control": "private, no-cache"}
        if _known(headers["ETag"], if_none_match or ""):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    return router


def _known(etag: str, given: str) -> bool:
    """Whether the caller has this answer already, by what it sends as If-None-Match."""
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return bool(tags & {etag, "*"})


def _requested(ask: JobAsk, job_id: UUID, tenant: str, now: Clock) -> JobRequested:
    at = now()
    if ask.deadline is not None and ask.deadline <= at:
        raise invalid_fields([FieldError(field="deadline", reason="is in the past")])
    return JobRequested.say(
        job_id, tenant, at, model=ask.model, prompt=ask.prompt, num_outputs=ask.num_outputs, seed=ask.seed,
        output_format=ask.output_format, input=ask.input, metadata=ask.metadata, deadline=ask.deadline,
        max_attempts=ask.max_attempts,
    )  # fmt: skip
