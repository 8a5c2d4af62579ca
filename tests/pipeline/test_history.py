"""A job's history and a tenant's list, over the API of the whole system."""

from uuid import uuid4

import pytest

from schemas.clock import utc_now
from schemas.events import DataRemoved, JobRequested
from schemas.identity import job_id_of
from tests.pipeline.driver import DEADLINE, Json, Pipeline, until

MODEL = "fake/painter"


async def history(pipeline: Pipeline, job_id: object, **params: str) -> Json:
    answer = await pipeline.http.get(f"/api/v1/jobs/{job_id}/history", params=params)
    assert answer.status_code == 200, answer.text
    shown: Json = answer.json()
    return shown


async def test_a_history_tells_every_record_that_the_ledger_heard_of_the_job(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(model=MODEL, num_outputs=2, prompt="told in full", input={"fail_attempts": 1})
    await pipeline.end_of(job_id)
    await pipeline.settled()

    shown = await history(pipeline, job_id)

    said = {
        (record.topic, record.partition, record.offset): record
        for record in await pipeline.records()
        if record.key == str(job_id).encode() and record.topic != "job.completed"
    }
    places = [(fact["topic"], fact["partition"], fact["offset"]) for fact in shown["facts"]]
    assert sorted(places) == sorted(said)
    for place, fact in zip(places, shown["facts"], strict=True):
        headers = dict(said[place].headers)
        assert fact["event_id"].encode() == headers["ce_id"]
        assert fact["said_by"].encode() == headers["ce_source"]
        assert (fact["type"], fact["version"], fact["gone"]) == (place[0], 1, False)
    assert [fact["logged_at"] for fact in shown["facts"]] == sorted(fact["logged_at"] for fact in shown["facts"])
    assert shown["facts"][0]["body"]["prompt"] == "told in full"


async def test_a_history_shows_each_attempt_with_what_came_of_it(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(model=MODEL, num_outputs=2, input={"fail_attempts": 1})
    await pipeline.end_of(job_id)

    tried = (await history(pipeline, job_id))["attempts"]

    numbered = [(each["kind"], each["subject"], each["attempt"], each["result"], each["code"]) for each in tried]
    assert [row for row in numbered if row[0] == "GENERATION"] == [
        ("GENERATION", call, attempt, result, code)
        for call in (0, 1)
        for attempt, result, code in ((1, "FAILED", "provider_failed"), (2, "SUCCEEDED", None))
    ]
    assert [row[1] for row in numbered if row[0] == "UPLOAD" and row[3] == "SUCCEEDED"] == [0, 1]
    assert all(each["provider_id"] and each["started_at"] for each in tried if each["result"] == "SUCCEEDED"
               and each["kind"] == "GENERATION")  # fmt: skip
    assert tried[0]["next_try_at"] is not None


async def test_a_long_history_is_read_page_by_page(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(model=MODEL, num_outputs=4)
    await pipeline.end_of(job_id)
    await pipeline.settled()

    pages: list[Json] = []
    cursor: dict[str, str] = {}
    while not pages or pages[-1]["next_cursor"]:
        pages.append(await history(pipeline, job_id, limit="3", **cursor))
        cursor = {"cursor": pages[-1]["next_cursor"]}

    found = [(fact["topic"], fact["offset"]) for page in pages for fact in page["facts"]]
    whole = [(fact["topic"], fact["offset"]) for fact in (await history(pipeline, job_id))["facts"]]
    assert len(pages) > 3
    assert sorted(found) == sorted(whole)


async def test_after_a_removal_a_history_shows_neither_prompt_nor_source(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit(prompt="xylophone", input={"look": "xylophone"})
    await pipeline.end_of(job_id)
    await pipeline.say(DataRemoved.say(job_id, "dev", utc_now(), revision=1, reason="request"))

    async def removed() -> bool:
        return (await pipeline.status(job_id))["data_removed_at"] is not None

    await until(removed, DEADLINE, f"the data of job {job_id} to be removed")
    shown = await history(pipeline, job_id)

    bodies = {fact["topic"]: fact["body"] for fact in shown["facts"]}
    assert (bodies["job.requested"]["prompt"], bodies["job.requested"]["input"]) == ("", {})
    assert bodies["media.generated"]["source"]["url"] == ""
    assert "xylophone" not in str(shown)


async def test_nobody_reads_the_history_of_anothers_job(pipeline: Pipeline) -> None:
    job_id = job_id_of("acme", str(uuid4()))
    await pipeline.say(JobRequested.say(job_id, "acme", utc_now(), model=MODEL, prompt="theirs", num_outputs=1))
    await pipeline.settled()

    answers = [await pipeline.http.get(f"/api/v1/jobs/{whose}/history") for whose in (job_id, uuid4(), "nonsense")]

    assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {
        (404, "urn:darkroom:problem:no-such-job")
    }


@pytest.mark.usefixtures("local_servers_only")
async def test_without_kafka_a_history_is_asked_for_again_later(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit()
    await pipeline.end_of(job_id)

    await pipeline.stack.stop("kafka")
    away = await pipeline.http.get(f"/api/v1/jobs/{job_id}/history")
    await pipeline.stack.start("kafka")

    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert (await history(pipeline, job_id))["facts"]


async def test_a_list_is_filtered_and_goes_on_behind_its_cursor(pipeline: Pipeline) -> None:
    order = str(uuid4())
    ids = [await pipeline.submit(metadata={"order": order, "part": str(n)}) for n in range(3)]
    failing = await pipeline.submit(model=MODEL, metadata={"order": order}, input={"fail_outputs": [0]})
    for job_id in (*ids, failing):
        await pipeline.end_of(job_id)

    async def listed(**params: str) -> Json:
        answer = await pipeline.http.get("/api/v1/jobs", params={"metadata": f"order={order}", **params})
        assert answer.status_code == 200, answer.text
        shown: Json = answer.json()
        return shown

    first = await listed(limit="3")
    rest = await listed(limit="3", cursor=first["next_cursor"])
    failed, of_model = await listed(status="FAILED"), await listed(model="fake/painter-batch")

    newest_first = [str(job_id) for job_id in (failing, *reversed(ids))]
    assert [job["job_id"] for job in (*first["jobs"], *rest["jobs"])] == newest_first
    assert rest["next_cursor"] is None
    assert [(job["job_id"], job["done"]) for job in failed["jobs"]] == [(str(failing), True)]
    assert [job["job_id"] for job in of_model["jobs"]] == newest_first[1:]
