"""The API as people call it: the original's bodies, and one shape for everything that goes wrong."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError

from gateway.asks import BODY_BYTES
from schemas.events import JobRequested
from schemas.identity import job_id_of
from schemas.jobs import Job, Media, OutputStatus, Phase, Status, pending_job
from schemas.wire import Position, decode
from tests.builders import JOB, NOON, later
from tests.fakes import Log, Views
from tests.unit.gateway.http import calling

ORIGINAL = (
    '{"model": "stability-ai/stable-diffusion-xl-base-1.0", "prompt": "A futuristic city at sunset", '
    '"num_outputs": 2, "seed": 12345, "output_format": "jpg"}'
)
SECRET = "xylophone"


def said(log: Log) -> JobRequested:
    """The one request that was published."""
    [record] = log.records
    event = decode(Position(record.topic, record.partition or 0, 0), record.key, record.value, record.headers)
    assert isinstance(event, JobRequested)
    return event


def a_problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The problem that an answer is, looked at for everything that all of them have."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) - {"errors"} == {"type", "title", "status", "detail", "instance", "request_id"}
    assert (body["type"], body["status"]) == (f"urn:darkroom:problem:{kind}", status)
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert body["instance"] == quote(answer.request.url.path)[:500]
    assert SECRET not in answer.text
    return body


def a_job(num_outputs: int = 1) -> Job:
    """A job that waits."""
    return pending_job(
        job_id=JOB, model="m", prompt="a city", num_outputs=num_outputs, seed=None, output_format=None, input={},
        metadata={}, deadline=None, created_at=NOON,
    )  # fmt: skip


async def test_the_originals_submission_works_unchanged() -> None:
    log = Log()
    async with calling(log) as client:
        answer = await client.post("/api/v1/generate", content=ORIGINAL, headers={"Content-Type": "application/json"})

    body = answer.json()
    assert answer.status_code == 202
    assert set(body) == {"job_id", "status", "message", "links", "warnings"}
    assert (body["status"], body["message"]) == ("PENDING", "Job created and queued for processing")
    assert body["links"] == {"status": f"/api/v1/status/{body['job_id']}"}
    assert body["warnings"] == ["the model is not in the catalogue: its input is not checked"]
    assert answer.headers["Location"] == f"/api/v1/status/{body['job_id']}"
    request = said(log)
    assert (request.model, request.prompt) == (
        "stability-ai/stable-diffusion-xl-base-1.0", "A futuristic city at sunset",
    )  # fmt: skip
    assert (request.num_outputs, request.seed, request.output_format) == (2, 12345, "jpg")
    assert (str(request.job_id), request.tenant) == (body["job_id"], "dev")


async def test_a_body_without_a_content_type_is_taken_for_json() -> None:
    async with calling() as client:
        answer = await client.post("/api/v1/generate", content=ORIGINAL)

    assert answer.status_code == 202


async def test_the_originals_status_has_all_its_fields() -> None:
    media = Media(
        index=0, status=OutputStatus.COMPLETED, phase=Phase.DONE, s3_key="jobs/0d0/x/1/0.jpg",
        media_url="https://replicate.delivery/pbxt/abc123.jpg",
    )  # fmt: skip
    job = Job(
        job_id=JOB, status=Status.COMPLETED, done=True, model="m", prompt="a city", num_outputs=1, seed=None,
        output_format=None, media=(media,), created_at=NOON, updated_at=later(2), started_at=NOON,
        completed_at=later(2),
    )  # fmt: skip
    async with calling(views=Views(job)) as client:
        answer = await client.get(f"/api/v1/status/{JOB}")

    body = answer.json()
    assert answer.status_code == 200
    assert body | {"media": []} == {
        "job_id": str(JOB), "status": "COMPLETED", "done": True, "revision": 1, "model": "m", "prompt": "a city",
        "num_outputs": 1, "seed": None, "output_format": None, "input": {}, "metadata": {}, "media": [],
        "max_attempts": None, "error_message": None, "retry_count": 0, "cost_units": 0, "deadline": None,
        "created_at": "2026-01-12T12:00:00Z",
        "updated_at": "2026-01-12T12:00:02Z", "started_at": "2026-01-12T12:00:00Z",
        "completed_at": "2026-01-12T12:00:02Z", "data_removed_at": None,
    }  # fmt: skip
    assert {name: body["media"][0][name] for name in (
        "media_url", "status", "error_message", "s3_key", "presigned_media_url",
    )} == {
        "media_url": "https://replicate.delivery/pbxt/abc123.jpg", "status": "COMPLETED", "error_message": None,
        "s3_key": "jobs/0d0/x/1/0.jpg", "presigned_media_url": "https://media/jobs/0d0/x/1/0.jpg",
    }  # fmt: skip


@pytest.mark.parametrize("tries", [None, 1, 20])
async def test_how_often_a_call_may_be_tried_goes_into_the_request(tries: int | None) -> None:
    log = Log()
    async with calling(log) as client:
        await client.post("/api/v1/generate", json={"model": "m", "prompt": "p", "max_attempts": tries})

    assert said(log).max_attempts == tries


async def test_a_status_that_has_not_changed_is_not_sent_again() -> None:
    async with calling(views=Views(a_job(), a_job(), a_job(num_outputs=2))) as client:
        first = await client.get(f"/api/v1/status/{JOB}")
        same = await client.get(f"/api/v1/status/{JOB}", headers={"If-None-Match": first.headers["ETag"]})
        other = await client.get(f"/api/v1/status/{JOB}", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, same.status_code, other.status_code) == (200, 304, 200)
    assert first.headers["ETag"] == same.headers["ETag"] != other.headers["ETag"]
    assert (same.content, same.headers["Cache-Control"]) == (b"", "private, no-cache")


@pytest.mark.parametrize(
    ("given", "status"), [("{}", 304), ("W/{}", 304), ('"other", {}', 304), ("*", 304), ('"other"', 200), ("", 200)]
)
async def test_an_etag_is_known_however_it_is_given_back(given: str, status: int) -> None:
    async with calling(views=Views(a_job())) as client:
        etag = (await client.get(f"/api/v1/status/{JOB}")).headers["ETag"]
        answer = await client.get(f"/api/v1/status/{JOB}", headers={"If-None-Match": given.format(etag)})

    assert answer.status_code == status


async def test_the_root_and_health_answer_as_the_originals_did() -> None:
    async with calling() as client:
        root, health = await client.get("/"), await client.get("/health")

    assert root.json() == {"message": "Media Generation Microservice", "status": "running"}
    assert health.json() == {"status": "healthy"}


async def test_the_docs_page_loads_nothing_from_elsewhere() -> None:
    async with calling() as client:
        page, api = await client.get("/docs"), await client.get("/openapi.json")

    assert page.status_code == api.status_code == 200
    assert "cdn" not in page.text
    assert set(api.json()["paths"]) >= {"/api/v1/generate", "/api/v1/status/{job_id}"}


async def test_a_repeated_submission_under_one_key_is_one_job() -> None:
    log = Log()
    async with calling(log) as client:
        answers = [
            await client.post("/api/v1/generate", content=ORIGINAL, headers={"Idempotency-Key": "order-1"})
            for _ in range(2)
        ]

    assert {answer.json()["job_id"] for answer in answers} == {str(job_id_of("dev", "order-1"))}
    assert {answer.headers["Idempotency-Key"] for answer in answers} == {"order-1"}
    assert len({record.key for record in log.records}) == 1


async def test_a_submission_without_a_key_is_given_one_to_repeat_it_under() -> None:
    async with calling() as client:
        first = await client.post("/api/v1/generate", content=ORIGINAL)
        again = await client.post(
            "/api/v1/generate", content=ORIGINAL, headers={"Idempotency-Key": first.headers["Idempotency-Key"]}
        )
        other = await client.post("/api/v1/generate", content=ORIGINAL)

    assert first.json()["job_id"] == again.json()["job_id"] != other.json()["job_id"]


@pytest.mark.parametrize("log", [Log(KafkaConnectionError()), Log(silent=True)], ids=["refuses", "is silent"])
async def test_without_kafka_nothing_is_accepted_and_the_key_to_repeat_under_is_given(log: Log) -> None:
    async with calling(log) as client:
        answer = await client.post("/api/v1/generate", content=ORIGINAL)

    problem = a_problem(answer, 503, "unavailable")
    assert "same Idempotency-Key" in problem["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    assert UUID(answer.headers["Idempotency-Key"]).version == 4


async def test_a_key_of_ones_own_comes_back_with_a_503_too() -> None:
    async with calling(Log(KafkaConnectionError())) as client:
        answer = await client.post("/api/v1/generate", content=ORIGINAL, headers={"Idempotency-Key": "order-1"})

    assert answer.headers["Idempotency-Key"] == "order-1"


async def test_bad_fields_are_named_and_nothing_is_published() -> None:
    log = Log()
    async with calling(log) as client:
        answer = await client.post(
            "/api/v1/generate", json={"prompt": SECRET + "\0", "num_outputs": 11, "seed": SECRET}
        )

    problem = a_problem(answer, 422, "invalid-input")
    assert {error["field"] for error in problem["errors"]} == {"model", "prompt", "num_outputs", "seed"}
    assert log.records == []


async def test_a_deadline_in_the_past_is_refused() -> None:
    async with calling() as client:
        answer = await client.post(
            "/api/v1/generate", json={"model": "m", "prompt": "p", "deadline": "2020-01-01T00:00:00Z"}
        )

    assert a_problem(answer, 422, "invalid-input")["errors"] == [{"field": "deadline", "reason": "is in the past"}]


async def test_a_key_that_cannot_be_one_is_refused() -> None:
    async with calling() as client:
        answer = await client.post("/api/v1/generate", content=ORIGINAL, headers={"Idempotency-Key": "x" * 256})

    assert a_problem(answer, 422, "invalid-input")["errors"][0]["field"] == "Idempotency-Key"


async def test_a_body_that_is_too_large_is_refused() -> None:
    async with calling() as client:
        answer = await client.post("/api/v1/generate", content=ORIGINAL.ljust(BODY_BYTES + 1))

    a_problem(answer, 413, "body-too-large")


async def test_a_body_that_grows_too_large_for_a_record_is_refused() -> None:
    numbers = ",".join(["9e15"] * 20_000)
    async with calling() as client:
        answer = await client.post(
            "/api/v1/generate", content=f'{{"model": "m", "prompt": "p", "input": {{"a": [{numbers}]}}}}'
        )

    a_problem(answer, 413, "body-too-large")


async def test_a_typo_is_pointed_out() -> None:
    async with calling() as client:
        answer = await client.post("/api/v1/generate", json={"model": "fake/painter", "prompt": "p", "num_output": 4})

    assert answer.json()["warnings"] == ["unknown field ignored: num_output"]


@pytest.mark.parametrize("job_id", [str(JOB), "1", "x" * 500, "..%2f..%2fetc", "%00", "%F0%9F%8C%86"])
async def test_a_job_that_was_never_accepted_is_not_there(job_id: str) -> None:
    async with calling() as client:
        answer = await client.get(f"/api/v1/status/{job_id}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_job_is_told_from_an_unknown_route() -> None:
    async with calling() as client:
        job, route = await client.get(f"/api/v1/status/{JOB}"), await client.get("/api/v2/anything")

    a_problem(job, 404, "no-such-job")
    a_problem(route, 404, "not-found")


async def test_a_method_that_a_route_does_not_know_is_refused_with_those_it_knows() -> None:
    async with calling() as client:
        answer = await client.get("/api/v1/generate")

    a_problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "POST"


async def test_without_the_job_store_a_status_cannot_be_said() -> None:
    async with calling(views=Views(fault=ConnectionRefusedError(SECRET))) as client:
        answer = await client.get(f"/api/v1/status/{JOB}")

    a_problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_bug_is_a_500_that_names_the_request_and_nothing_else() -> None:
    async with calling(views=Views(fault=ZeroDivisionError(SECRET))) as client:
        answer = await client.get(f"/api/v1/status/{JOB}")

    problem = a_problem(answer, 500, "internal")
    assert problem["detail"] == "something broke on our side; the request id names it"


@pytest.mark.parametrize("given", ["abc-123", "a.b:c_d", "x" * 128])
async def test_a_harmless_request_id_is_given_back(given: str) -> None:
    async with calling() as client:
        answer = await client.get("/", headers={"X-Request-Id": given})

    assert answer.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", "<script>", '{"a":1}'], ids=ascii)
async def test_a_request_without_a_harmless_id_gets_a_new_one(given: str | None) -> None:
    async with calling() as client:
        headers = {} if given is None else {"X-Request-Id": given}
        answers = [await client.get("/", headers=headers) for _ in range(2)]

    ids = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(ids) == 2
    assert {UUID(request_id).version for request_id in ids} == {4}
