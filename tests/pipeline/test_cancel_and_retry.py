"""Cancel and deadline stop paying, and throw nothing away; a retry pays again once, and only for what it names."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults.courses import CancelRace, Fail, Slow
from schemas.clock import utc_now
from schemas.events import CancelRequested, JobRequested, RetryRequested
from schemas.identity import job_id_of
from schemas.topics import DEAD_LETTERS
from tests.pipeline.driver import Json, Pipeline, until
from tests.pipeline.operator import darkroom, paused

FLUX = "black-forest-labs/flux-schnell"
TENANT = "dev"


@pytest.fixture
def prompt() -> str:
    """One of its own for each test, so that its calls can be told from all others in the bill."""
    return f"a quarry {uuid4()}"


def cancel(job_id: UUID, revision: int = 1) -> CancelRequested:
    return CancelRequested.say(job_id, TENANT, utc_now(), revision=revision)


def retry(job_id: UUID, revision: int, **outputs: str) -> RetryRequested:
    redo = tuple({"index": int(name[1:]), "from": start} for name, start in outputs.items())
    return RetryRequested.say(job_id, TENANT, utc_now(), revision=revision, outputs=redo)


def charged(replicate: ReplicateSimulator, prompt: str) -> list[Any]:
    """Everything that was created for this prompt."""
    return [entry for entry in replicate.bill().entries if entry.input.get("prompt") == prompt]


async def end_of(pipeline: Pipeline, job_id: UUID, revision: int) -> Json:
    """The job once this revision of it is done."""
    job: Json = {}

    async def done() -> bool:
        job.update(await pipeline.status(job_id))
        return job["revision"] == revision and bool(job["done"])

    await until(done, 60, f"revision {revision} of job {job_id} to be done")
    return job


async def test_a_pending_job_that_is_cancelled_is_never_called_for(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    async with paused(pipeline.stack, "model", FLUX):
        job_id = await pipeline.submit(model=FLUX, prompt=prompt, num_outputs=2)
        await pipeline.call_in("PENDING", job_id)

        await pipeline.say(cancel(job_id), cancel(job_id))
        job = await pipeline.end_of(job_id)
    await pipeline.settled()

    assert job["status"] == "CANCELLED"
    assert [media["error_code"] for media in job["media"]] == ["cancelled"] * 2
    assert (charged(replicate, prompt), job["cost_units"]) == ([], 0)


async def test_many_jobs_cancelled_at_once_right_after_their_request_are_called_for_once_or_never(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    replicate.use()
    ids = []
    for _ in range(40):
        ids.append(await pipeline.submit(model=FLUX, prompt=prompt))
        await pipeline.say(cancel(ids[-1]))

    jobs = [await pipeline.end_of(job_id) for job_id in ids]

    made = [job for job in jobs if job["status"] == "COMPLETED"]
    assert {job["status"] for job in jobs} <= {"COMPLETED", "CANCELLED"}
    assert len(made) <= len(charged(replicate, prompt)) == sum(job["cost_units"] for job in jobs)


async def test_a_cancel_that_comes_before_its_request_waits_for_it(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    key = str(uuid4())
    await pipeline.say(cancel(job_id_of(TENANT, key)))
    await pipeline.settled()

    job = await pipeline.end_of(await pipeline.submit(key=key, model=FLUX, prompt=prompt))

    assert (job["status"], charged(replicate, prompt)) == ("CANCELLED", [])


async def test_a_cancel_of_a_running_call_asks_the_provider_to_stop(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    replicate.use(Slow(run_seconds=600, input={"prompt": prompt}))
    job_id = await pipeline.submit(model=FLUX, prompt=prompt)
    await pipeline.call_in("SUBMITTED", job_id)

    await pipeline.say(cancel(job_id))
    job = await pipeline.end_of(job_id)

    assert job["status"] == "CANCELLED"
    assert await provider_says(pipeline, replicate, prompt) == "canceled"


async def test_what_a_cancelled_call_made_all_the_same_is_stored_and_served(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    replicate.use(Slow(run_seconds=600, input={"prompt": prompt}), CancelRace(input={"prompt": prompt}))
    job_id = await pipeline.submit(model=FLUX, prompt=prompt)
    await pipeline.call_in("SUBMITTED", job_id)

    await pipeline.say(cancel(job_id))
    job = await pipeline.end_of(job_id)

    async with httpx.AsyncClient() as browser:
        picture = await browser.get(job["media"][0]["presigned_media_url"])
    assert (job["status"], picture.status_code) == ("COMPLETED", 200)


async def test_a_job_whose_deadline_passes_before_a_call_expires(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    async with paused(pipeline.stack, "model", FLUX):
        deadline = (utc_now() + timedelta(seconds=1)).isoformat()
        job = await pipeline.end_of(await pipeline.submit(model=FLUX, prompt=prompt, deadline=deadline))

    assert (job["status"], job["media"][0]["error_code"]) == ("EXPIRED", "deadline_exceeded")
    assert charged(replicate, prompt) == []


async def test_a_retry_generates_again_once_and_no_replay_adds_anything(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    replicate.use(Fail(error="NSFW content detected", nth=(1,), input={"prompt": prompt}))
    job_id = await pipeline.submit(model=FLUX, prompt=prompt)
    failed = await pipeline.end_of(job_id)

    await pipeline.say(retry(job_id, 2, _0="generate"))
    job = await end_of(pipeline, job_id, 2)
    await pipeline.settled()
    before = (await pipeline.projections(), await pipeline.work_done(), await pipeline.objects())
    log = [r for r in await pipeline.records() if r.topic != DEAD_LETTERS and r.key == str(job_id).encode()] * 2
    random.Random(4).shuffle(log)
    await pipeline.reproduce(log)
    await pipeline.settled()

    first, second = await pipeline.calls(job_id)
    assert (failed["status"], failed["media"][0]["error_code"]) == ("FAILED", "content_policy")
    assert (job["status"], job["revision"], job["cost_units"]) == ("COMPLETED", 2, 2)
    assert (first["state"], second["state"]) == ("FAILED", "SUCCEEDED")
    assert first["id"] != second["id"]
    assert len(charged(replicate, prompt)) == 2
    assert (await pipeline.projections(), await pipeline.work_done(), await pipeline.objects()) == before


async def test_a_retry_makes_only_the_outputs_that_it_names(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(model="fake/painter", num_outputs=3, input={"fail_outputs": [1]})
    partial = await pipeline.end_of(job_id)

    await pipeline.say(retry(job_id, 2, _1="generate"))
    job = await end_of(pipeline, job_id, 2)

    again = [row["outputs"] for row in await pipeline.calls(job_id) if row["revision"] == 2]
    assert again == [[1]]
    assert (job["media"][0], job["media"][2]) == (partial["media"][0], partial["media"][2])


async def test_a_cancel_of_a_revision_waits_for_its_retry(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    replicate.use(Fail(error="NSFW content detected", nth=(1,), input={"prompt": prompt}))
    job_id = await pipeline.submit(model=FLUX, prompt=prompt)
    await pipeline.end_of(job_id)

    await pipeline.say(cancel(job_id, 2))
    await pipeline.settled()
    await pipeline.say(retry(job_id, 2, _0="generate"))
    job = await end_of(pipeline, job_id, 2)

    assert (job["status"], len(charged(replicate, prompt))) == ("CANCELLED", 1)


@pytest.mark.parametrize(("kind", "name"), [("model", FLUX), ("provider", "replicate"), ("tenant", TENANT)])
async def test_a_pause_holds_jobs_back_and_a_resume_lets_them_go(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str, kind: str, name: str
) -> None:
    replicate.use()
    async with paused(pipeline.stack, kind, name):
        job_id = await pipeline.submit(model=FLUX, prompt=prompt)
        await pipeline.call_in("PENDING", job_id)
        listed = (await darkroom(pipeline.stack, "brakes", "list", "--json")).json
        waiting = await pipeline.status(job_id)
    job = await pipeline.end_of(job_id)

    [brake] = listed["brakes"]
    assert (brake["kind"], brake["name"], brake["waiting"]) == (kind, name, 1)
    assert waiting["status"] == "PENDING"
    assert (job["status"], len(charged(replicate, prompt))) == ("COMPLETED", 1)


async def test_with_the_days_calls_spent_jobs_wait_for_the_next_day(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    replicate.use()
    await spend(pipeline, calls=100_000)
    job_id = await pipeline.submit(model=FLUX, prompt=prompt)
    await pipeline.call_in("PENDING", job_id)

    await pipeline.end_of(await pipeline.submit(model="fake/painter"))
    waiting = await pipeline.status(job_id)
    await spend(pipeline, calls=0)
    job = await pipeline.end_of(job_id)

    assert waiting["status"] == "PENDING"
    assert (job["status"], len(charged(replicate, prompt))) == ("COMPLETED", 1)


async def test_a_request_said_again_with_another_body_is_not_paid_for(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    replicate.use()
    job_id = await pipeline.submit(model=FLUX, prompt=prompt)
    await pipeline.end_of(job_id)

    other = JobRequested.say(job_id, TENANT, utc_now(), model=FLUX, prompt=prompt + " again", num_outputs=4)
    await pipeline.say(other)
    await pipeline.settled()

    assert len(await pipeline.calls(job_id)) == 1
    assert charged(replicate, prompt + " again") == []


async def spend(pipeline: Pipeline, calls: int) -> None:
    """Have today's account of Replicate show that many calls."""
    await pipeline.admin.execute(
        """
        INSERT INTO generator.accounts (provider, tokens, filled_at, day, calls, cost_units)
        VALUES ('replicate', 60, now(), (now() AT TIME ZONE 'UTC')::date, $1, 0)
        ON CONFLICT (provider) DO UPDATE SET calls = $1, day = EXCLUDED.day
        """,
        calls,
    )


async def provider_says(pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str) -> str:
    """The status of the one prediction for this prompt, at the provider."""
    [entry] = charged(replicate, prompt)
    headers = {"authorization": "Bearer r8_made_up"}
    answer = await pipeline.http.get(f"{replicate.url}/v1/predictions/{entry.prediction}", headers=headers)
    return str(answer.json()["status"])
