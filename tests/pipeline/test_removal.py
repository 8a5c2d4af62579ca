"""A job's files, its data's removal, and why a job is not further, seen over the API of the whole system."""

import hashlib
from typing import Any
from uuid import UUID, uuid4

import httpx

from schemas.clock import utc_now
from schemas.events import DataRemoved, GenerationDoubted, JobRequested
from schemas.identity import job_id_of
from tests.pipeline.driver import DEADLINE, Json, Pipeline, until
from tests.pipeline.operator import paused

MODEL = "fake/painter-batch"


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].removeprefix("urn:darkroom:problem:")


async def remove(pipeline: Pipeline, job_id: UUID) -> Json:
    """Have a job's data removed, and return the job once its status says so."""
    answer = await pipeline.http.delete(f"/api/v1/jobs/{job_id}/data")
    assert (answer.status_code, answer.json()["job_id"]) == (202, str(job_id))
    job: Json = {}

    async def removed() -> bool:
        job.update(await pipeline.status(job_id))
        return job["data_removed_at"] is not None

    await until(removed, DEADLINE, f"the data of job {job_id} to be removed")
    return job


async def test_every_output_opens_and_downloads_by_a_link_of_ours(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(num_outputs=2, output_format="png")
    job = await pipeline.end_of(job_id)

    for media in job["media"]:
        shown = await pipeline.http.get(media["content_url"])
        saved = await pipeline.http.get(media["content_url"], params={"download": 1})
        async with httpx.AsyncClient() as browser:
            files = [await browser.get(answer.headers["Location"]) for answer in (shown, saved)]
        assert [answer.status_code for answer in (shown, saved, *files)] == [302, 302, 200, 200]
        assert {hashlib.sha256(file.content).hexdigest() for file in files} == {media["sha256"]}
        name = f'filename="{job_id}-{media["index"]}.png"'
        assert [file.headers["content-disposition"] for file in files] == [f"inline; {name}", f"attachment; {name}"]


async def test_a_status_that_has_not_changed_is_not_sent_again(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit()
    await pipeline.end_of(job_id)
    await pipeline.settled()

    first = await pipeline.http.get(f"/api/v1/status/{job_id}")
    again = await pipeline.http.get(f"/api/v1/status/{job_id}", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")


async def test_a_job_whose_data_are_removed_keeps_its_status_and_loses_the_rest(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(
        prompt="something to be forgotten", input={"look": "secret"}, metadata={"order": "17"}, max_attempts=1
    )
    before = await pipeline.end_of(job_id)

    job = await remove(pipeline, job_id)

    kept = ("status", "done", "model", "num_outputs", "seed", "metadata", "max_attempts", "completed_at", "retry_count")
    assert {name: job[name] for name in kept} == {name: before[name] for name in kept}
    assert (before["prompt"], before["input"]) == ("something to be forgotten", {"look": "secret"})
    assert (job["prompt"], job["input"], job["max_attempts"]) == ("", {}, 1)
    [media] = job["media"]
    assert (media["status"], media["removed"], media["sha256"]) == ("COMPLETED", True, before["media"][0]["sha256"])
    links = ("media_url", "presigned_media_url", "url_expires_at", "content_url")
    assert [media[name] for name in links] == [None] * 4
    gone = await pipeline.http.get(before["media"][0]["content_url"])
    assert problem_of(gone) == (410, "data-removed")
    row = await pipeline.admin.fetchval("SELECT jobs::text FROM ledger.jobs WHERE job_id = $1", job_id)
    assert "forgotten" not in row
    assert "secret" not in row


async def test_a_repeated_removal_and_a_replay_change_nothing(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit()
    await pipeline.end_of(job_id)
    job = await remove(pipeline, job_id)
    await pipeline.settled()
    before = await pipeline.projections()

    await pipeline.reproduce(
        [r for r in await pipeline.records() if r.key == str(job_id).encode() and r.topic != "dlq"]
    )
    await pipeline.settled()
    replayed = await pipeline.projections()
    again = await remove(pipeline, job_id)

    completions = [r for r in await pipeline.records("job.completed") if r.key == str(job_id).encode()]
    assert replayed == before
    assert {name: again[name] for name in ("status", "prompt", "data_removed_at")} == {
        name: job[name] for name in ("status", "prompt", "data_removed_at")
    }
    assert len({dict(record.headers)["ce_id"] for record in completions}) == 1


async def test_the_data_of_a_job_that_is_not_done_cannot_be_removed(pipeline: Pipeline) -> None:
    async with paused(pipeline.stack, "model", MODEL):
        job_id = await pipeline.submit()
        await pipeline.call_in("PENDING", job_id)

        removal = await pipeline.http.delete(f"/api/v1/jobs/{job_id}/data")
        content = await pipeline.http.get(f"/api/v1/jobs/{job_id}/outputs/0/content")
        beyond = await pipeline.http.get(f"/api/v1/jobs/{job_id}/outputs/1/content")
    job = await pipeline.end_of(job_id)

    assert problem_of(removal) == (409, "job-not-done")
    assert problem_of(content) == (404, "not-stored-yet")
    assert problem_of(beyond) == (404, "no-such-output")
    assert job["data_removed_at"] is None


async def test_an_output_that_failed_has_no_file(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(model="fake/painter", input={"fail_outputs": [0]})
    await pipeline.end_of(job_id)

    answer = await pipeline.http.get(f"/api/v1/jobs/{job_id}/outputs/0/content")

    assert problem_of(answer) == (404, "not-stored")
    assert "content_policy" in answer.json()["detail"]


async def test_nobody_opens_or_removes_what_is_anothers(pipeline: Pipeline) -> None:
    job_id = job_id_of("acme", str(uuid4()))
    await pipeline.say(JobRequested.say(job_id, "acme", utc_now(), model=MODEL, prompt="theirs", num_outputs=1))
    await pipeline.settled()

    for whose in (job_id, uuid4()):
        content = await pipeline.http.get(f"/api/v1/jobs/{whose}/outputs/0/content")
        removal = await pipeline.http.delete(f"/api/v1/jobs/{whose}/data")
        assert [problem_of(answer) for answer in (content, removal)] == [(404, "no-such-job")] * 2

    kept = await pipeline.admin.fetchrow("SELECT status, prompt FROM ledger.jobs WHERE job_id = $1", job_id)
    assert kept is not None
    assert (kept["status"], kept["prompt"]) == ("COMPLETED", "theirs")


async def test_a_call_in_doubt_shows_as_reconciling_with_its_cause_until_it_is_answered(pipeline: Pipeline) -> None:
    async with paused(pipeline.stack, "model", MODEL):
        job_id = await pipeline.submit()
        await pipeline.call_in("PENDING", job_id)
        lost: dict[str, Any] = {"generation": 0, "attempt": 1, "provider": "fake", "outputs": (0,), "cause": "reset"}
        causes = [
            await cause_after(pipeline, GenerationDoubted.say(job_id, "dev", utc_now(), held=held, **lost))
            for held in (False, True)
        ]
    job = await pipeline.end_of(job_id)

    assert causes == [
        "the provider's answer was lost, and the call is looked for: reset",
        "the call was not found, and is held for an operator: reset",
    ]
    assert (job["status"], job["media"][0]["phase"], job["media"][0]["cause"]) == ("COMPLETED", "done", None)


async def cause_after(pipeline: Pipeline, doubt: GenerationDoubted) -> str:
    """Why the first output is not further, once this doubt is heard."""
    shown: Json = {}

    async def heard() -> bool:
        shown.update((await pipeline.status(doubt.job_id))["media"][0])
        return shown["phase"] == "reconciling" and ("held" in shown["cause"]) == doubt.held

    await pipeline.say(doubt)
    await until(heard, DEADLINE, f"the doubt about job {doubt.job_id} to show")
    assert shown["status"] == "PROCESSING"
    return str(shown["cause"])


async def test_a_removal_takes_the_objects_out_of_the_bucket(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(num_outputs=3)
    job = await pipeline.end_of(job_id)
    keys = {media["s3_key"] for media in job["media"]}
    assert keys <= set(await pipeline.objects())

    await pipeline.say(DataRemoved.say(job_id, "dev", utc_now(), revision=1, reason="age"))

    async def gone() -> bool:
        return not keys & set(await pipeline.objects())

    await until(gone, DEADLINE, f"the objects of job {job_id} to be gone")
