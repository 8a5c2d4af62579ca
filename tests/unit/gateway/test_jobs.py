"""What is asked of one job beside its status: its files, and to remove them."""

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError

from gateway.signing import Signer
from schemas.events import DataRemoved
from schemas.jobs import Job, Media, OutputStatus, Phase, Status
from schemas.wire import Position, decode
from stage.bucket import BucketSettings
from tests.builders import ANOTHER_JOB, JOB, NOON
from tests.fakes import Log, Views
from tests.unit.gateway.http import calling

KEY = f"jobs/0d0/{JOB}/1/0.webp"
STORED = Media(index=0, status=OutputStatus.COMPLETED, phase=Phase.DONE, s3_key=KEY)
WAITING = Media(index=0, status=OutputStatus.PROCESSING, phase=Phase.STORING)
REFUSED = Media(index=0, status=OutputStatus.FAILED, phase=Phase.DONE, error_code="content_policy")


@pytest.fixture
def signer(monkeypatch: pytest.MonkeyPatch) -> Signer:
    told = {"S3_ENDPOINT_URL": "http://s3:9000", "S3_PUBLIC_ENDPOINT_URL": "https://media.example.org",
            "S3_ACCESS_KEY_ID": "AKID", "S3_SECRET_ACCESS_KEY": "hush", "S3_BUCKET_NAME": "media"}  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return Signer(BucketSettings(), lambda: NOON)


def a_job(*media: Media, **changes: Any) -> Job:
    """A job that is over, with these outputs."""
    over: dict[str, Any] = {
        "job_id": JOB, "status": Status.COMPLETED, "done": True, "model": "m", "prompt": "a city",
        "num_outputs": len(media), "seed": None, "output_format": None, "media": media, "created_at": NOON,
        "updated_at": NOON,
    }  # fmt: skip
    return Job.model_validate(over | changes)


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].removeprefix("urn:darkroom:problem:")


def removals(log: Log) -> list[DataRemoved]:
    """What was published."""
    facts = [decode(Position(r.topic, r.partition or 0, 0), r.key, r.value, r.headers) for r in log.records]
    assert all(isinstance(fact, DataRemoved) for fact in facts)
    return [fact for fact in facts if isinstance(fact, DataRemoved)]


@pytest.mark.parametrize(("query", "kind"), [("", "inline"), ("?download=1", "attachment"), ("?download=0", "inline")])
async def test_a_stored_output_is_led_to_under_a_name_of_its_own(signer: Signer, query: str, kind: str) -> None:
    async with calling(views=Views(a_job(STORED)), signer=signer) as client:
        answer = await client.get(f"/api/v1/jobs/{JOB}/outputs/0/content{query}")

    link = urlsplit(answer.headers["Location"])
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "private")
    assert (link.netloc, link.path) == ("media.example.org", f"/media/{KEY}")
    assert parse_qs(link.query)["response-content-disposition"] == [f'{kind}; filename="{JOB}-0.webp"']


@pytest.mark.parametrize(
    ("media", "index", "problem"),
    [
        (STORED, "1", (404, "no-such-output")), (STORED, "-1", (404, "no-such-output")),
        (STORED, "x", (422, "invalid-input")), (WAITING, "0", (404, "not-stored-yet")),
        (REFUSED, "0", (404, "not-stored")),
        (STORED.model_copy(update={"removed": True}), "0", (410, "data-removed")),
        (REFUSED.model_copy(update={"removed": True}), "0", (410, "data-removed")),
    ],
    ids=["beyond the last", "below the first", "no number", "not yet", "never", "removed", "failed and removed"],
)  # fmt: skip
async def test_an_output_that_cannot_be_led_to_says_why(
    signer: Signer, media: Media, index: str, problem: tuple[int, str]
) -> None:
    async with calling(views=Views(a_job(media)), signer=signer) as client:
        answer = await client.get(f"/api/v1/jobs/{JOB}/outputs/{index}/content")

    assert problem_of(answer) == problem


async def test_the_data_of_a_job_that_is_done_are_removed_in_its_revision_and_all_before() -> None:
    log = Log()
    async with calling(log, Views(a_job(STORED, revision=3))) as client:
        answer = await client.delete(f"/api/v1/jobs/{JOB}/data")

    [fact] = removals(log)
    assert (answer.status_code, UUID(answer.json()["job_id"])) == (202, JOB)
    assert (fact.job_id, fact.tenant, fact.revision, fact.reason) == (JOB, "dev", 3, "request")


async def test_a_repeated_removal_says_the_same_fact() -> None:
    log = Log()
    async with calling(log, Views(a_job(STORED), a_job(STORED, data_removed_at=NOON, prompt=""))) as client:
        answers = [await client.delete(f"/api/v1/jobs/{JOB}/data") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({fact.event_id for fact in removals(log)}) == 1


async def test_the_data_of_a_job_that_is_not_done_stay() -> None:
    log = Log()
    async with calling(log, Views(a_job(WAITING, status=Status.PROCESSING, done=False))) as client:
        answer = await client.delete(f"/api/v1/jobs/{JOB}/data")

    assert problem_of(answer) == (409, "job-not-done")
    assert log.records == []


async def test_a_removal_that_kafka_does_not_have_is_not_accepted() -> None:
    async with calling(Log(KafkaConnectionError()), Views(a_job(STORED))) as client:
        answer = await client.delete(f"/api/v1/jobs/{JOB}/data")

    assert problem_of(answer) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("job_id", [str(ANOTHER_JOB), "1", "%00"])
async def test_a_job_that_is_not_the_callers_has_no_files_and_no_data_to_remove(job_id: str, signer: Signer) -> None:
    log = Log()
    async with calling(log, signer=signer) as client:
        answers = [
            await client.get(f"/api/v1/jobs/{job_id}/outputs/0/content"),
            await client.delete(f"/api/v1/jobs/{job_id}/data"),
        ]

    assert [problem_of(answer) for answer in answers] == [(404, "no-such-job")] * 2
    assert log.records == []
