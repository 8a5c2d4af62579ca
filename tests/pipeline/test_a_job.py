"""A job's way through the whole system."""

import hashlib
import io
import json

import httpx
from PIL import Image

from tests.pipeline.driver import Pipeline

ORIGINALS_BODY = {
    "model": "stability-ai/stable-diffusion-xl-base-1.0",
    "prompt": "A futuristic city at sunset",
    "num_outputs": 2,
    "seed": 12345,
    "output_format": "jpg",
}


async def test_a_job_of_the_original_service_runs_as_its_readme_shows(pipeline: Pipeline) -> None:
    accepted = await pipeline.http.post("/api/v1/generate", json=ORIGINALS_BODY)
    job_id = accepted.json()["job_id"]

    job = await pipeline.end_of(job_id)

    assert accepted.status_code == 202
    assert accepted.json()["status"] == "PENDING"
    assert accepted.json()["message"] == "Job created and queued for processing"
    assert accepted.headers["location"] == f"/api/v1/status/{job_id}"
    assert {name: job[name] for name in ORIGINALS_BODY} == ORIGINALS_BODY
    assert (job["status"], job["error_message"], job["retry_count"]) == ("COMPLETED", None, 0)
    assert job["created_at"] <= job["started_at"] <= job["completed_at"] <= job["updated_at"]
    for media in job["media"]:
        assert media["status"] == "COMPLETED"
        assert media["media_url"].startswith("http")
        assert media["s3_key"].startswith(f"jobs/{job_id[:3]}/{job_id}/1/")
        assert media["error_message"] is None


async def test_the_links_open_pictures_that_are_what_the_status_says(pipeline: Pipeline) -> None:
    job = await pipeline.end_of(await pipeline.submit(num_outputs=4, output_format="png", seed=7))

    async with httpx.AsyncClient() as browser:
        for media in job["media"]:
            answer = await browser.get(media["presigned_media_url"])
            assert answer.status_code == 200
            assert answer.headers["content-type"] == media["content_type"] == "image/png"
            assert hashlib.sha256(answer.content).hexdigest() == media["sha256"]
            assert len(answer.content) == media["size"]
            with Image.open(io.BytesIO(answer.content)) as picture:
                assert picture.size == (media["width"], media["height"])
                picture.load()
    assert len({media["sha256"] for media in job["media"]}) == 4


async def test_every_kind_of_file_is_stored_under_its_own_extension(pipeline: Pipeline) -> None:
    asked = [("fake/painter", "jpg"), ("fake/painter", "png"), ("fake/painter", "webp"), ("fake/tones", "wav")]
    ids = [await pipeline.submit(model=model, output_format=kind) for model, kind in asked]

    jobs = [await pipeline.end_of(job_id) for job_id in ids]

    keys = [job["media"][0]["s3_key"].rpartition(".")[2] for job in jobs]
    types = [job["media"][0]["content_type"] for job in jobs]
    assert keys == ["jpg", "png", "webp", "wav"]
    assert types == ["image/jpeg", "image/png", "image/webp", "audio/wav"]
    assert jobs[3]["media"][0]["duration_ms"] == 2000


async def test_the_same_request_makes_the_same_bytes(pipeline: Pipeline) -> None:
    ids = [await pipeline.submit(seed=42, num_outputs=2, prompt="a forest in the snow") for _ in range(2)]

    one, other = [await pipeline.end_of(job_id) for job_id in ids]

    assert one["job_id"] != other["job_id"]
    assert [media["sha256"] for media in one["media"]] == [media["sha256"] for media in other["media"]]


async def test_the_same_key_names_the_same_job(pipeline: Pipeline) -> None:
    one = await pipeline.submit(key="a key of mine")
    again = await pipeline.submit(key="a key of mine")
    job = await pipeline.end_of(one)
    await pipeline.settled()

    calls = await pipeline.admin.fetchval("SELECT count(*) FROM generator.generations WHERE job_id = $1", one)

    assert one == again
    assert job["status"] == "COMPLETED"
    assert calls == 1


async def test_a_job_shows_from_the_moment_it_is_accepted(pipeline: Pipeline) -> None:
    for number in range(50):
        job_id = await pipeline.submit(prompt=f"number {number}", metadata={"number": str(number)}, num_outputs=3)

        job = await pipeline.status(job_id)

        assert (job["prompt"], job["metadata"]) == (f"number {number}", {"number": str(number)})
        assert [media["index"] for media in job["media"]] == [0, 1, 2]


async def test_a_known_failure_is_tried_again_and_counted(pipeline: Pipeline) -> None:
    job = await pipeline.end_of(await pipeline.submit(input={"fail_attempts": 2}))

    assert job["status"] == "COMPLETED"
    assert job["retry_count"] == 2


async def test_a_failure_that_lasts_fails_the_job_with_its_reason(pipeline: Pipeline) -> None:
    job = await pipeline.end_of(await pipeline.submit(input={"fail_attempts": 99}))

    assert job["status"] == "FAILED"
    assert job["media"][0]["error_code"] == "provider_failed"
    assert job["error_message"] == "the fake provider was asked to fail this attempt"


async def test_one_refused_output_leaves_the_others_served(pipeline: Pipeline) -> None:
    job = await pipeline.end_of(await pipeline.submit(model="fake/painter", num_outputs=3, input={"fail_outputs": [1]}))

    assert job["status"] == "PARTIAL"
    assert [media["status"] for media in job["media"]] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert job["media"][1]["error_code"] == "content_policy"


async def test_a_finished_job_is_told_to_the_world_without_its_prompt(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(prompt="something nobody else should read", num_outputs=2, metadata={"order": "17"})
    job = await pipeline.end_of(job_id)
    await pipeline.settled()

    told = [record for record in await pipeline.records("job.completed") if record.key == str(job_id).encode()]

    assert len(told) == 1
    assert b"nobody else" not in (told[0].value or b"")
    fact = json.loads(told[0].value or b"")
    headers = dict(told[0].headers)
    assert (fact["status"], fact["stored"], fact["metadata"]) == ("COMPLETED", 2, {"order": "17"})
    assert [output["key"] for output in fact["outputs"]] == [media["s3_key"] for media in job["media"]]
    assert headers["ce_type"] == b"job.completed"
    assert headers["ce_id"].decode() == fact["event_id"]


async def test_an_id_that_was_never_accepted_is_not_found(pipeline: Pipeline) -> None:
    for unknown in ("00000000-0000-8000-8000-000000000000", "1", "../../x", "a" * 500):
        answer = await pipeline.http.get(f"/api/v1/status/{unknown}")

        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
