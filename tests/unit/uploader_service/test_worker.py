"""Fetch and store one output: what each fault becomes, and that a repeat changes nothing."""

import hashlib
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from schemas.events import MediaStored, StagedSource, UploadFailed
from tests.builders import JOB, NOON, an_upload_claim
from tests.fakes import Bucket, Sources, UploadStore
from tests.media_files import a_picture, a_sound
from uploader_service.decide import Claim, Verdict
from uploader_service.fetch import FetchError
from uploader_service.settings import Settings
from uploader_service.worker import QUICK_TRIES, Worker

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PICTURE = a_picture("PNG")
BUSY = ClientError({"Error": {"Code": "SlowDown", "Message": "hush"}}, "PutObject")
AWAY = EndpointConnectionError(endpoint_url="http://hush-store")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return Settings()


async def verdict_on(claim: Claim, content: bytes | Exception, bucket: Bucket, settings: Settings) -> Verdict:
    worker = Worker(UploadStore(), Sources(content), cast("S3Client", bucket), settings, lambda: NOON)
    return await worker.work(claim)


async def test_an_output_is_stored_under_its_own_key_and_said_with_its_sum(settings: Settings) -> None:
    bucket = Bucket()

    verdict = await verdict_on(an_upload_claim(index=4, revision=2), PICTURE, bucket, settings)

    key = f"jobs/0d0/{JOB}/2/4.png"
    assert bucket.objects == {key: (PICTURE, "image/png")}
    assert isinstance(verdict.fact, MediaStored)
    assert (verdict.fact.key, verdict.fact.sha256) == (key, hashlib.sha256(PICTURE).hexdigest())
    assert (verdict.fact.size, verdict.fact.width, verdict.fact.height) == (len(PICTURE), 40, 30)


async def test_storing_again_changes_nothing(settings: Settings) -> None:
    bucket = Bucket()

    first = await verdict_on(an_upload_claim(), PICTURE, bucket, settings)
    again = await verdict_on(an_upload_claim(), PICTURE, bucket, settings)

    assert first == again
    assert len(bucket.objects) == 1


async def test_a_sound_is_named_by_its_bytes_and_not_by_its_url(settings: Settings) -> None:
    verdict = await verdict_on(an_upload_claim(), a_sound(500), Bucket(), settings)

    assert isinstance(verdict.fact, MediaStored)
    assert (verdict.fact.content_type, verdict.fact.duration_ms) == ("audio/wav", 500)
    assert verdict.fact.key.endswith(".wav")


async def test_a_source_that_is_no_media_fails_for_good_and_nothing_is_stored(settings: Settings) -> None:
    bucket = Bucket()

    verdict = await verdict_on(an_upload_claim(), b"<html>expired</html>", bucket, settings)

    assert isinstance(verdict.fact, UploadFailed)
    assert (verdict.fact.code, verdict.fact.final, bucket.objects) == ("output_unreadable", True, {})


async def test_what_a_fetch_becomes_is_what_the_fetcher_says(settings: Settings) -> None:
    gone = FetchError("source_expired", "the source answered 404", passing=False)

    verdict = await verdict_on(an_upload_claim(), gone, Bucket(), settings)

    assert isinstance(verdict.fact, UploadFailed)
    assert (verdict.fact.code, verdict.fact.message) == ("source_expired", "the source answered 404")


@pytest.mark.parametrize("fault", [BUSY, AWAY, TimeoutError(), ConnectionResetError()], ids=repr)
async def test_a_store_with_trouble_is_asked_again_at_once_and_then_later(fault: Exception, settings: Settings) -> None:
    bucket = Bucket(faults=[fault] * QUICK_TRIES)

    verdict = await verdict_on(an_upload_claim(), PICTURE, bucket, settings)

    assert isinstance(verdict.fact, UploadFailed)
    assert (verdict.fact.code, verdict.fact.final, verdict.state) == ("storage_failed", False, "PENDING")
    assert "hush" not in verdict.fact.message
    assert bucket.puts == QUICK_TRIES


async def test_a_store_that_recovers_within_a_moment_costs_no_attempt(settings: Settings) -> None:
    bucket = Bucket(faults=[BUSY, AWAY])

    assert (await verdict_on(an_upload_claim(), PICTURE, bucket, settings)).state == "STORED"


async def test_a_staged_source_is_taken_from_the_bucket(settings: Settings) -> None:
    bucket = Bucket()
    bucket.objects["staged/1"] = (PICTURE, "")
    claim = an_upload_claim(source=StagedSource(key="staged/1", sha256="0" * 64, size=len(PICTURE)))

    assert (await verdict_on(claim, b"", bucket, settings)).state == "STORED"


@pytest.mark.parametrize(
    ("fault", "code", "state"),
    [
        (None, "source_expired", "FAILED"),
        (BUSY, "source_unavailable", "PENDING"),
        (AWAY, "source_unavailable", "PENDING"),
    ],
    ids=["not there", "busy", "away"],
)
async def test_a_staged_source_that_cannot_be_had_is_an_outcome(
    fault: Exception | None, code: str, state: str, settings: Settings
) -> None:
    claim = an_upload_claim(source=StagedSource(key="staged/1", sha256="0" * 64, size=5))

    verdict = await verdict_on(claim, b"", Bucket(faults=[fault] if fault else []), settings)

    assert isinstance(verdict.fact, UploadFailed)
    assert (verdict.fact.code, verdict.state) == (code, state)
