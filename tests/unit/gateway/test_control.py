"""Cancel and retry say one fact about the revision that was seen, or nothing."""

from typing import Any

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError

from schemas.events import CancelRequested, Event, RetryRequested
from schemas.jobs import Job, Media, OutputStatus, Phase, Status
from schemas.wire import Position, decode
from tests.builders import ANOTHER_JOB, JOB, NOON
from tests.fakes import Log, Views
from tests.unit.gateway.http import calling

STORED = Media(index=0, status=OutputStatus.COMPLETED, phase=Phase.DONE, s3_key=f"jobs/0d0/{JOB}/1/0.webp")
FAILED = Media(index=1, status=OutputStatus.FAILED, phase=Phase.DONE, error_code="provider_failed")
WAITING = Media(index=0, status=OutputStatus.PENDING, phase=Phase.QUEUED)


def a_job(*media: Media, **changes: Any) -> Job:
    over: dict[str, Any] = {
        "job_id": JOB, "status": Status.PARTIAL, "done": True, "model": "m", "prompt": "a city",
        "num_outputs": len(media), "seed": None, "output_format": None, "media": media, "created_at": NOON,
        "updated_at": NOON,
    }  # fmt: skip
    return Job.model_validate(over | changes)


RUNNING = a_job(WAITING, status=Status.PENDING, done=False)
PARTIAL = a_job(STORED, FAILED)


def said(log: Log) -> list[Event]:
    return [decode(Position(r.topic, r.partition or 0, 0), r.key, r.value, r.headers) for r in log.records]


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].removeprefix("urn:darkroom:problem:")


async def test_a_cancel_is_said_of_the_revision_that_runs_and_shows_the_job_as_it_is() -> None:
    log = Log()
    async with calling(log, Views(RUNNING.model_copy(update={"revision": 3}))) as client:
        answers = [await client.post(f"/api/v1/jobs/{JOB}/cancel") for _ in range(2)]

    facts = said(log)
    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [(202, "PENDING")] * 2
    assert {(type(fact), fact.job_id, fact.tenant, fact.revision) for fact in facts} == {
        (CancelRequested, JOB, "dev", 3)
    }
    assert len({fact.event_id for fact in facts}) == 1


async def test_a_job_that_is_over_is_shown_and_nothing_is_said() -> None:
    log = Log()
    async with calling(log, Views(PARTIAL)) as client:
        answer = await client.post(f"/api/v1/jobs/{JOB}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (200, "PARTIAL")
    assert answer.json()["media"][0]["presigned_media_url"]
    assert log.records == []


async def test_a_retry_can_be_cancelled_before_the_ledger_has_heard_of_it() -> None:
    log = Log()
    async with calling(log, Views(PARTIAL)) as client:
        retried = await client.post(f"/api/v1/jobs/{JOB}/retry", json={"revision": 1, "confirm_cost": True})
        cancelled = await client.post(retried.json()["links"]["cancel"])

    _, fact = said(log)
    assert cancelled.status_code == 202
    assert (type(fact), fact.revision) == (CancelRequested, 2)


@pytest.mark.parametrize(
    ("job", "revision", "status", "cancels"),
    [(PARTIAL, 1, 200, 0), (RUNNING, 1, 202, 1), (PARTIAL, 3, 409, 0), (RUNNING, 2, 409, 0), (PARTIAL, 0, 422, 0),
     (RUNNING.model_copy(update={"revision": 2}), 1, 409, 0)],
    ids=str,
)  # fmt: skip
async def test_only_a_revision_that_may_be_running_is_cancelled(
    job: Job, revision: int, status: int, cancels: int
) -> None:
    log = Log()
    async with calling(log, Views(job)) as client:
        answer = await client.post(f"/api/v1/jobs/{JOB}/cancel?revision={revision}")

    assert answer.status_code == status
    assert len(log.records) == cancels


async def test_a_retry_is_the_next_revision_and_says_what_it_does() -> None:
    log = Log()
    async with calling(log, Views(PARTIAL)) as client:
        answer = await client.post(f"/api/v1/jobs/{JOB}/retry", json={"revision": 1, "confirm_cost": True})

    [fact] = said(log)
    assert isinstance(fact, RetryRequested)
    assert (fact.revision, [(redo.index, redo.start) for redo in fact.outputs]) == (2, [(1, "generate")])
    assert answer.status_code == 202
    assert (answer.json()["revision"], answer.json()["outputs"]) == (2, [{"index": 1, "from": "generate"}])
    assert answer.json()["links"]["status"] == f"/api/v1/status/{JOB}"


async def test_one_retry_asked_for_twice_says_one_fact() -> None:
    log = Log()
    async with calling(log, Views(PARTIAL)) as client:
        for _ in range(2):
            await client.post(f"/api/v1/jobs/{JOB}/retry", json={"revision": 1, "confirm_cost": True})

    assert len({fact.event_id for fact in said(log)}) == 1


@pytest.mark.parametrize(
    ("job", "ask", "problem"),
    [
        (PARTIAL, {"revision": 1}, (409, "cost-not-confirmed")),
        (PARTIAL, {"revision": 2, "confirm_cost": True}, (409, "revision-conflict")),
        (PARTIAL.model_copy(update={"revision": 2}), {"revision": 1}, (409, "revision-conflict")),
        (RUNNING, {"revision": 1, "confirm_cost": True}, (409, "revision-conflict")),
        (a_job(STORED, status=Status.COMPLETED), {"revision": 1}, (409, "nothing-to-retry")),
        (PARTIAL.model_copy(update={"data_removed_at": NOON}), {"revision": 1}, (410, "data-removed")),
        (PARTIAL, {"revision": 1, "outputs": [{"index": 7}]}, (404, "no-such-output")),
        (PARTIAL, {"revision": 1, "outputs": [{"index": 1, "from": "store"}]}, (422, "invalid-input")),
        (PARTIAL, {"revision": 1, "outputs": []}, (422, "invalid-input")),
        (PARTIAL, {"revision": 1, "outputs": [{"index": 0}, {"index": 0}]}, (422, "invalid-input")),
        (PARTIAL, {"revision": 1, "outputs": [{"index": 1, "from": "thin air"}]}, (422, "invalid-input")),
        (PARTIAL, {"revision": 0}, (422, "invalid-input")),
        (PARTIAL, {"revision": 1, "confirm": True}, (422, "invalid-input")),
        (PARTIAL, {}, (422, "invalid-input")),
    ],
    ids=str,
)
async def test_a_retry_that_cannot_be_meant_says_why_and_nothing_is_said(
    job: Job, ask: dict[str, Any], problem: tuple[int, str]
) -> None:
    log = Log()
    async with calling(log, Views(job)) as client:
        answer = await client.post(f"/api/v1/jobs/{JOB}/retry", json=ask)

    assert problem_of(answer) == problem
    assert log.records == []


async def test_a_conflict_names_the_revision_that_the_job_is_at() -> None:
    async with calling(views=Views(PARTIAL.model_copy(update={"revision": 4}))) as client:
        answer = await client.post(f"/api/v1/jobs/{JOB}/retry", json={"revision": 3})

    assert "is at revision 4, which is done" in answer.json()["detail"]


@pytest.mark.parametrize(("job", "what"), [(RUNNING, "cancel"), (PARTIAL, "retry")])
async def test_what_kafka_does_not_have_is_not_accepted(job: Job, what: str) -> None:
    async with calling(Log(KafkaConnectionError()), Views(job)) as client:
        answer = await client.post(f"/api/v1/jobs/{JOB}/{what}", json={"revision": 1, "confirm_cost": True})

    assert problem_of(answer) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("what", ["cancel", "retry"])
async def test_a_job_that_is_not_the_callers_cannot_be_touched(what: str) -> None:
    log = Log()
    async with calling(log) as client:
        answer = await client.post(f"/api/v1/jobs/{ANOTHER_JOB}/{what}", json={"revision": 1})

    assert problem_of(answer) == (404, "no-such-job")
    assert log.records == []
