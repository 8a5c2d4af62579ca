"""Cancel, retry, waiting and lists, as their users call them, on the whole system."""

import asyncio
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from schemas.clock import utc_now
from schemas.events import CancelRequested, RetryRequested
from tests.pipeline.driver import DEADLINE, Json, Pipeline, until
from tests.pipeline.operator import paused

MODEL = "fake/painter"


async def retried(pipeline: Pipeline, job_id: UUID, **ask: Any) -> httpx.Response:
    return await pipeline.http.post(f"/api/v1/jobs/{job_id}/retry", json={"revision": 1, **ask})


async def test_a_job_is_cancelled_over_the_api_however_often_that_is_asked(pipeline: Pipeline) -> None:
    async with paused(pipeline.stack, "model", MODEL):
        job_id = await pipeline.submit(model=MODEL, num_outputs=2)
        asked = [await pipeline.http.post(f"/api/v1/jobs/{job_id}/cancel") for _ in range(2)]
        job = await pipeline.end_of(job_id)
    late = await pipeline.http.post(f"/api/v1/jobs/{job_id}/cancel")

    assert [answer.status_code for answer in asked] == [202, 202]
    assert (job["status"], job["cost_units"]) == ("CANCELLED", 0)
    assert (late.status_code, late.json()["status"]) == (200, "CANCELLED")
    assert len({fact.event_id for fact in await pipeline.facts(CancelRequested, job_id)}) == 1


async def test_a_failed_output_is_generated_again_once_when_its_cost_is_confirmed(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(model=MODEL, num_outputs=3, input={"fail_outputs": [1]})
    partial = await pipeline.end_of(job_id)

    unconfirmed = await retried(pipeline, job_id)
    accepted = [await retried(pipeline, job_id, confirm_cost=True) for _ in range(2)]
    job = await pipeline.end_of(job_id, revision=2)
    late = await retried(pipeline, job_id, confirm_cost=True)

    calls = [row["outputs"] for row in await pipeline.calls(job_id) if row["revision"] == 2]
    assert partial["status"] == "PARTIAL"
    assert (unconfirmed.status_code, unconfirmed.json()["type"]) == (409, "urn:darkroom:problem:cost-not-confirmed")
    assert accepted[0].json()["outputs"] == [{"index": 1, "from": "generate"}]
    assert {answer.status_code for answer in accepted} <= {202, 409}
    assert (accepted[0].status_code, calls) == (202, [[1]])
    assert (job["revision"], job["media"][0]) == (2, partial["media"][0])
    assert (late.status_code, late.json()["type"]) == (409, "urn:darkroom:problem:revision-conflict")
    assert len({fact.event_id for fact in await pipeline.facts(RetryRequested, job_id)}) == 1


async def test_of_two_retries_of_one_revision_the_first_in_the_log_is_made_and_the_job_ends(
    pipeline: Pipeline,
) -> None:  # fmt: skip
    job_id = await pipeline.submit(model=MODEL, num_outputs=2, input={"fail_outputs": [0, 1]})
    await pipeline.end_of(job_id)
    both = [
        RetryRequested.say(job_id, "dev", utc_now(), revision=2, outputs=({"index": index, "from": "generate"},))
        for index in (1, 0)
    ]

    await pipeline.say(*both)
    job = await pipeline.end_of(job_id, revision=2)
    await pipeline.settled()

    assert [row["outputs"] for row in await pipeline.calls(job_id) if row["revision"] == 2] == [[1]]
    assert job["status"] == "FAILED"


async def test_what_is_stored_is_stored_again_for_nothing_when_it_is_named(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(num_outputs=2)
    first = await pipeline.end_of(job_id)

    nothing = await retried(pipeline, job_id)
    accepted = await retried(pipeline, job_id, outputs=[{"index": 1}])
    waited = await pipeline.http.get(f"/api/v1/status/{job_id}?wait=25&revision={accepted.json()['revision']}")
    job = waited.json()

    assert (nothing.status_code, nothing.json()["type"]) == (409, "urn:darkroom:problem:nothing-to-retry")
    assert accepted.json()["outputs"] == [{"index": 1, "from": "store"}]
    assert (job["revision"], job["status"], job["cost_units"]) == (2, "COMPLETED", first["cost_units"])
    assert job["media"][0] == first["media"][0]
    assert job["media"][1]["s3_key"] != first["media"][1]["s3_key"]
    assert job["media"][1]["sha256"] == first["media"][1]["sha256"]


async def test_a_job_whose_data_were_removed_cannot_be_done_again(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit()
    await pipeline.end_of(job_id)
    await pipeline.http.delete(f"/api/v1/jobs/{job_id}/data")

    async def removed() -> bool:
        return (await pipeline.status(job_id))["data_removed_at"] is not None

    await until(removed, DEADLINE, "the removal to be heard")
    answer = await retried(pipeline, job_id, outputs=[{"index": 0}])

    assert (answer.status_code, answer.json()["type"]) == (410, "urn:darkroom:problem:data-removed")


async def test_a_waiting_caller_is_answered_as_soon_as_the_job_is_over(pipeline: Pipeline) -> None:
    began = monotonic()
    async with paused(pipeline.stack, "model", MODEL):
        job_id = await pipeline.submit(model=MODEL)
        early = await pipeline.http.get(f"/api/v1/status/{job_id}?wait=1")
        waiting = asyncio.create_task(pipeline.http.get(f"/api/v1/status/{job_id}", headers={"Prefer": "wait=60"}))
    answer = await waiting

    assert (early.status_code, early.json()["done"]) == (200, False)
    assert (answer.json()["status"], answer.headers["Preference-Applied"]) == ("COMPLETED", "wait=60")
    assert monotonic() - began < 45


async def test_a_caller_who_knows_the_job_is_answered_when_it_changes(pipeline: Pipeline) -> None:
    async with paused(pipeline.stack, "model", MODEL):
        job_id = await pipeline.submit(model=MODEL)
        known = await pipeline.http.get(f"/api/v1/status/{job_id}")
        headers = {"If-None-Match": known.headers["ETag"]}
        same = await pipeline.http.get(f"/api/v1/status/{job_id}?wait=1", headers=headers)
        waiting = asyncio.create_task(pipeline.http.get(f"/api/v1/status/{job_id}?wait=60", headers=headers))
    changed = await waiting

    assert (same.status_code, changed.status_code) == (304, 200)
    assert changed.headers["ETag"] != known.headers["ETag"]


@pytest.mark.parametrize("limit", [1, 7])
async def test_a_list_that_is_read_while_jobs_arrive_misses_none_and_repeats_none(
    pipeline: Pipeline, limit: int
) -> None:  # fmt: skip
    order = str(uuid4())
    there = {str(await pipeline.submit(metadata={"order": order})) for _ in range(20)}
    pages: list[Json] = []

    async def listed(**more: str) -> Json:
        params = {"metadata": f"order={order}", "limit": str(limit), **more}
        answer = await pipeline.http.get("/api/v1/jobs", params=params)
        assert answer.status_code == 200, answer.text
        page: Json = answer.json()
        return page

    async def all_listed() -> bool:
        return len((await listed(limit="100"))["jobs"]) == len(there)

    await until(all_listed, DEADLINE, "the ledger to know the jobs")
    cursor: dict[str, str] = {}
    while not pages or pages[-1]["next_cursor"]:
        pages.append(await listed(**cursor))
        cursor = {"cursor": pages[-1]["next_cursor"]}
        await pipeline.submit(metadata={"order": order})

    seen = [job["job_id"] for page in pages for job in page["jobs"]]
    assert len(seen) == len(set(seen))
    assert there <= set(seen)
