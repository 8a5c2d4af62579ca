"""The route that shows how a job goes, at once or when it has gone on."""

import re
from functools import partial
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Header, Query, Request, Response

from gateway.answers import Answer
from gateway.callers import Reader
from gateway.lean_routes import LeanRoute
from gateway.problems import responses
from gateway.routes import JobId
from gateway.status import StatusReader
from gateway.waiting import Watcher
from schemas.events import Revision
from schemas.jobs import Job

LONGEST_WAIT = 60
PREFER_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)


class Patience(NamedTuple):
    """For how many seconds a caller wants to wait, and what it is told of that."""

    seconds: int
    headers: dict[str, str]


def job_status(reader: StatusReader, watcher: Watcher) -> APIRouter:
    """The second route of the original service, under the same name with the same fields."""
    router = APIRouter(prefix="/api/v1", tags=["jobs"], route_class=LeanRoute)

    @router.get(
        "/status/{job_id}", response_model=Job, summary="See how a job goes",
        responses=responses(401, 403, 404, 422, 429, 503) | {304: {"description": "Nothing has changed since."}},
    )  # fmt: skip
    async def status(
        caller: Reader,
        request: Request,
        job_id: JobId,
        wait: Annotated[
            int | None,
            Query(
                ge=1, le=LONGEST_WAIT, examples=[30],
                description="Seconds to wait for the job's end, or with `If-None-Match` for a change. Answered as soon "
                "as that is there, and with the job as it is when the time is over.",
            ),
        ] = None,
        revision: Annotated[
            Revision | None,
            Query(
                description="With a wait: the end of an earlier revision does not count. A retry's answer names the "
                "one that it begins.",
                examples=[2],
            ),
        ] = None,
        prefer: Annotated[
            str | None,
            Header(
                description="`wait=30` is the same as the query parameter, which wins. More than 60 counts as 60; "
                "`Preference-Applied` says so.",
                examples=["wait=30"],
            ),
        ] = None,
        if_none_match: Annotated[
            str | None,
            Header(
                description="The `ETag` of the last answer: 304 while nothing has changed since.",
                examples=['"0f1e2d3c4b5a69788796a5b4c3d2e1f0"'],
            ),
        ] = None,
    ) -> Response:  # fmt: skip
        """The job and its outputs. Readable from the moment of the 202; poll until `done`, or wait for it here.

        An answer may come before the time is over without being `done`: when very many wait, and when this server is
        about to stop. Ask again.
        """
        patience = patience_of(wait, prefer)
        answer = await reader.answer(job_id, caller.tenant)
        wanted = revision or 1
        over = answer.done and answer.seen.revision >= wanted
        if patience.seconds and not over and (if_none_match is None or answer.is_known(if_none_match)):
            done_in, gone = wanted if if_none_match is None else None, partial(_gone, request)
            if await watcher.wait(
                answer.job_id, answer.seen, patience.seconds, gone, tenant=caller.tenant, done_in=done_in
            ):
                answer = await reader.answer(job_id, caller.tenant)
        return _response(answer, if_none_match, patience.headers)

    return router


def patience_of(wait: int | None, prefer: str | None) -> Patience:
    """How long to wait. A preference that cannot be read is no preference, as RFC 7240 has it."""
    if wait is not None:
        return Patience(wait, {})
    preferred = PREFER_WAIT.search(prefer or "")
    seconds = min(int(preferred[1]), LONGEST_WAIT) if preferred else 0
    return Patience(seconds, {"Preference-Applied": f"wait={seconds}"} if seconds else {})


async def _gone(request: Request) -> None:
    """Return when the caller has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _response(answer: Answer, if_none_match: str | None, more: dict[str, str]) -> Response:
    """All of it, or a 304 to who has it."""
    headers = {"ETag": answer.etag, "Cache-Control": "private, no-cache"} | more
    if answer.is_known(if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(answer.body, media_type="application/json", headers=headers)
