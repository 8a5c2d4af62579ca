"""A tenant's jobs, newest first."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from gateway import problems
from gateway.asks import CONTROLS
from gateway.callers import Reader
from gateway.cursors import Cursor, read_cursor, write_cursor
from gateway.problems import FieldError, invalid_fields
from gateway.store import Store, Wanted
from schemas.events import Moment
from schemas.jobs import Status
from stage.database import PASSING

MOST = 100
"""Jobs of one answer."""
PLACE = TypeAdapter(tuple[Moment, UUID])


class JobSummary(BaseModel):
    """A job in a list: without prompt, input and outputs."""

    job_id: UUID = Field(description="The job's name, as `/generate` gave it.")
    status: Status = Field(description="Where it stands.")
    done: bool = Field(description="True once the status is final.")
    revision: int = Field(description="1, and one more for each retry that was asked for.")
    model: str = Field(description="The model that was asked for.")
    num_outputs: int = Field(description="How many outputs were asked for: 1 to 10.")
    metadata: dict[str, str] = Field(description="The submitter's own words.")
    error_message: str | None = Field(description="The first output's error, when any output failed.")
    retry_count: int = Field(description="Attempts made after a known failure, over all outputs.")
    created_at: AwareDatetime = Field(description="When it was accepted.")
    updated_at: AwareDatetime = Field(description="When something last became known of it.")
    started_at: AwareDatetime | None = Field(description="When a provider first accepted a call for it.")
    completed_at: AwareDatetime | None = Field(description="When its last output was over.")
    data_removed_at: AwareDatetime | None = Field(description="When its media, prompt and input were removed.")
    links: dict[str, str] = Field(description="Where to see all of it.")


class Jobs(BaseModel):
    """Some of the caller's jobs, newest first."""

    jobs: list[JobSummary] = Field(description="As many as `limit` says, at most.")
    next_cursor: str | None = Field(description="Leads on to older ones; null at the end.")


def listing(store: Store) -> APIRouter:
    """The route to all of a tenant's jobs."""
    router = APIRouter(prefix="/api/v1", tags=["jobs"])

    @router.get("/jobs", responses=problems.responses(401, 403, 422, 429, 503), summary="List jobs")
    async def list_jobs(  # noqa: PLR0913 - each but the caller is a filter
        caller: Reader,
        status: Annotated[Status | None, Query(description="Only jobs of this status.", examples=["COMPLETED"])] = None,
        model: Annotated[
            str | None, Query(max_length=256, description="Only jobs of this model.", examples=["fake/painter"])
        ] = None,
        metadata: Annotated[
            Sequence[str],
            Query(
                max_length=5,
                description="NAME=VALUE that a job's metadata hold. May be repeated.",
                examples=[["order=4711"]],
            ),
        ] = (),
        created_from: Annotated[
            Moment | None,
            Query(description="Only jobs of this time and later.", examples=["2026-05-01T00:00:00Z"]),
        ] = None,
        created_before: Annotated[
            Moment | None, Query(description="Only jobs from before this time.", examples=["2026-06-01T00:00:00Z"])
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST, description="Jobs of one answer, at most.", examples=[50])] = 20,
        cursor: Cursor = None,
    ) -> Jobs:
        """The caller's jobs, newest first. One that was accepted a moment ago may be missing: its status is not."""
        after = None if cursor is None else read_cursor(cursor, PLACE)
        wanted = Wanted(status, _plain("model", model), _pairs(metadata), created_from, created_before, after)
        try:
            rows = await store.jobs(caller.tenant, wanted, limit + 1)
        except PASSING:
            raise problems.unavailable("the job store does not answer") from None
        page, more = rows[:limit], len(rows) > limit
        last = write_cursor((page[-1]["requested_at"], page[-1]["job_id"])) if more else None
        return Jobs(jobs=[_summary(row) for row in page], next_cursor=last)

    return router


def _plain(field: str, text: str | None) -> str | None:
    if text is not None and CONTROLS.search(text):
        raise invalid_fields([FieldError(field=field, reason="holds control characters")])
    return text


def _pairs(given: Sequence[str]) -> dict[str, str]:
    """What `metadata` asks for. Raises a 422 problem for what is no NAME=VALUE."""
    pairs = [pair.partition("=") for pair in given]
    if not all(name and equals for name, equals, _ in pairs):
        raise invalid_fields([FieldError(field="metadata", reason="is not NAME=VALUE")])
    for name, _, value in pairs:
        _plain("metadata", name + value)
    return {name: value for name, _, value in pairs}


def _summary(row: asyncpg.Record) -> JobSummary:
    status, job_id = Status(row["status"]), row["job_id"]
    same = {name: row[name] for name in JobSummary.model_fields if name in row}
    links = {"status": f"/api/v1/status/{job_id}", "history": f"/api/v1/jobs/{job_id}/history"}
    return JobSummary.model_validate(
        same | {"done": status.terminal, "created_at": row["requested_at"], "links": links}
    )
