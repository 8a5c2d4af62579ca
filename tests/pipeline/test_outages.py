"""A server goes away for a while: an honest answer meanwhile, and nothing lost afterwards."""

import pytest

from tests.pipeline.driver import Pipeline

pytestmark = pytest.mark.usefixtures("local_servers_only")

ASK = {"model": "fake/painter-batch", "prompt": "a desert"}


async def test_kafka_away_is_a_503_and_the_same_key_later_is_one_job(pipeline: Pipeline) -> None:
    await pipeline.stack.stop("kafka")
    refused = await pipeline.http.post("/api/v1/generate", json=ASK)
    key = refused.headers["idempotency-key"]
    await pipeline.stack.start("kafka")

    accepted = await pipeline.http.post("/api/v1/generate", json=ASK, headers={"Idempotency-Key": key})
    job = await pipeline.end_of(accepted.json()["job_id"])
    await pipeline.settled()

    calls = await pipeline.admin.fetchval("SELECT count(*) FROM generator.generations WHERE job_id = $1", job["job_id"])
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert refused.json()["type"] == "urn:darkroom:problem:unavailable"
    assert (accepted.status_code, job["status"], calls) == (202, "COMPLETED", 1)


async def test_kafka_killed_under_load_loses_no_accepted_job(pipeline: Pipeline) -> None:
    ids = [await pipeline.submit(num_outputs=2) for _ in range(20)]

    await pipeline.stack.kill("kafka")
    await pipeline.stack.start("kafka")

    assert {(await pipeline.end_of(job_id))["status"] for job_id in ids} == {"COMPLETED"}


async def test_postgres_away_still_accepts_and_answers_503_to_questions(pipeline: Pipeline) -> None:
    await pipeline.stack.stop("postgres")
    accepted = await pipeline.http.post("/api/v1/generate", json=ASK)
    asked = await pipeline.http.get(f"/api/v1/status/{accepted.json()['job_id']}")
    await pipeline.stack.start("postgres")

    async with Pipeline.reach(pipeline.stack) as reached:
        job = await reached.end_of(accepted.json()["job_id"])

    assert (accepted.status_code, asked.status_code) == (202, 503)
    assert asked.headers["retry-after"] == "5"
    assert job["status"] == "COMPLETED"


async def test_the_store_away_delays_jobs_and_makes_nothing_again(pipeline: Pipeline) -> None:
    await pipeline.stack.stop("s3")
    ids = [await pipeline.submit(num_outputs=2) for _ in range(5)]
    await pipeline.stack.start("s3")

    jobs = [await pipeline.end_of(job_id) for job_id in ids]

    made = await pipeline.admin.fetch("SELECT attempt FROM generator.generations WHERE job_id = ANY($1)", ids)
    assert {job["status"] for job in jobs} == {"COMPLETED"}
    assert [row["attempt"] for row in made] == [1] * len(ids)
