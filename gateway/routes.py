"""The routes people call."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from gateway.asks import Asks, JobAsk, job_named
from gateway.callers import Submitter
from gateway.lean_routes import LeanRoute
from gateway.problems import FieldError, Problem, invalid_fields, responses, unavailable
from gateway.publisher import NotAcknowledgedError, Publisher
from gateway.queue_limit import QueueLimit
from gateway.quotes import Quote, Quotes
from gateway.reuse import KnownRequests
from gateway.status import StatusReader
from schemas.clock import Clock
from schemas.events import JobRequested
from schemas.jobs import Status
from schemas.wire import RecordTooLargeError

JobId = Annotated[str, Path(description="As `/generate` gave it.", examples=["6009d616-4b74-86cf-88d8-7186de4a1853"])]


class JobAccepted(BaseModel):
    """A job that will reach a final status, whatever happens on the way."""

    job_id: UUID = Field(description="Names the job from now on. The same for every call under one Idempotency-Key.")
    status: Status = Field(Status.PENDING, description="PENDING: what has become of it since, its status says.")
    message: str = Field("Job created and queued for processing", description="The same in the original's words.")
    links: dict[str, str] = Field(description="Where to look next.")
    warnings: list[str] = Field(description="What was ignored, such as unknown fields.")


def api(
    publisher: Publisher, known: KnownRequests, reader: StatusReader, queue: QueueLimit, asks: Asks, quotes: Quotes,
    now: Clock,
) -> APIRouter:  # fmt: skip
    """The first route of the original service, under the same name with the same fields."""
    router = APIRouter(prefix="/api/v1", tags=["jobs"], route_class=LeanRoute)

    @router.post(
        "/generate", status_code=202, response_model=JobAccepted, summary="Make media",
        responses=responses(401, 403, 413, 415, 422, 429, 503)
        | {200: {"model": Quote, "description": "With `dry_run`: what would be called. Nothing was accepted."}},
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {
            "schema": JobAsk.model_json_schema(ref_template="#/components/schemas/{model}")}}}},
    )  # fmt: skip
    async def generate(
        caller: Submitter,
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(
                description="Names the job: repeating the call under the same key is the same job. 1 to 255 printable "
                "ASCII characters. One is made and given back when it is missing.",
                examples=["order-4711"],
            ),
        ] = None,
        dry_run: Annotated[
            bool,
            Query(description="Check the request and say what would be called, and do nothing else.", examples=[True]),
        ] = False,
    ) -> Response:
        """Accept a job. A 202 means that Kafka has it: it will reach a final status, never be lost.

        After a 503 or a lost answer call again with the `Idempotency-Key` that was sent back: one job, not two.
        """
        ask = await asks.read(request)
        job_id, key = job_named(caller.tenant, idempotency_key)
        requested = _requested(ask, job_id, caller.tenant, now)
        if dry_run:
            _refuse_late(requested, accepted=False, key=key)
            return JSONResponse(quotes.of(ask, asks.warnings(ask)).model_dump(mode="json"))
        repeated = await _repeated(requested, known, reader) if idempotency_key is not None else False
        _refuse_late(requested, accepted=repeated, key=key)
        await queue.admit(caller, repeated=job_id if idempotency_key else None)
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
        accepted = JobAccepted(job_id=job_id, links={"status": status_link}, warnings=asks.warnings(ask))
        headers = {"Location": status_link, "Idempotency-Key": key}
        return Response(accepted.model_dump_json(), 202, headers, "application/json")

    return router


def _requested(ask: JobAsk, job_id: UUID, tenant: str, now: Clock) -> JobRequested:
    return JobRequested.say(
        job_id, tenant, now(), model=ask.model, prompt=ask.prompt, num_outputs=ask.num_outputs, seed=ask.seed,
        output_format=ask.output_format, input=ask.input, metadata=ask.metadata, deadline=ask.deadline,
        max_attempts=ask.max_attempts,
    )  # fmt: skip


async def _repeated(requested: JobRequested, known: KnownRequests, reader: StatusReader) -> bool | None:
    """Whether the job was accepted before, as far as that matters; None when nobody can say.

    What the ledger has not heard of is looked for in the log only when it would be refused otherwise.
    """
    repeated = await known.refuse_another(requested)
    if repeated is False and _is_late(requested):
        return await reader.accepted(requested.job_id, requested.tenant)
    return repeated


def _is_late(requested: JobRequested) -> bool:
    return requested.deadline is not None and requested.deadline <= requested.occurred_at


def _refuse_late(requested: JobRequested, *, accepted: bool | None, key: str) -> None:
    """Raise a problem when the deadline has passed, unless the job was accepted before: a repeat is that job for ever.

    When nobody can say whether it was, no is not said: it would invite a new key, and the same job paid for twice.
    """
    if accepted or not _is_late(requested):
        return
    if accepted is None:
        raise unavailable(
            "the deadline is in the past, and whether the job was accepted before it cannot be said now",
            headers={"Idempotency-Key": key},
        )
    raise invalid_fields([FieldError(field="deadline", reason="is in the past")])
