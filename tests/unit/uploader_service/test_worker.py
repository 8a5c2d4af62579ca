"""Work one claim: what each answer of a source and of the store becomes, and that a repeat changes nothing."""

import hashlib
from pathlib import Path

import pytest

from schemas.events import MediaStored, StagedSource, UploadFailed
from tests.builders import JOB, NOON, an_upload_claim, some_media
from tests.fakes import Objects, Sources, UploadStore
from tests.media_files import a_picture, a_sound
from uploader_service.fetch import FetchError
from uploader_service.objects import StoreError
from uploader_service.settings import Settings
from uploader_service.spool import Spool
from uploader_service.uploads import Claim, Spooled
from uploader_service.worker import Worked, Worker

PICTURE = a_picture("PNG")
AWAY = StoreError("storage_failed", "the store is away", passing=True)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "a",
        "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media", "UPLOADER_SPOOL_DIR": str(tmp_path),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return Settings()


async def worked(claim: Claim, content: bytes | Exception, objects: Objects, settings: Settings) -> Worked:
    spool = Spool(settings.spool_dir, "uploader-1", settings.memory_bytes)
    await spool.open()
    worker = Worker(UploadStore(), Sources(content), objects, spool, settings, lambda: NOON, lambda: None)
    return await worker.work(claim)


async def failure_of(claim: Claim, content: bytes | Exception, objects: Objects, settings: Settings) -> UploadFailed:
    fact = (await worked(claim, content, objects, settings)).verdict.fact
    assert isinstance(fact, UploadFailed)
    return fact


async def test_an_output_is_stored_under_its_own_key_and_said_with_its_sum(settings: Settings) -> None:
    objects = Objects()

    fact = (await worked(an_upload_claim(index=4, revision=2), PICTURE, objects, settings)).verdict.fact

    key = f"jobs/0d0/{JOB}/2/4.png"
    assert objects.there == {key: (PICTURE, "image/png")}
    assert isinstance(fact, MediaStored)
    assert (fact.key, fact.sha256) == (key, hashlib.sha256(PICTURE).hexdigest())
    assert (fact.size, fact.width, fact.height) == (len(PICTURE), 40, 30)


async def test_storing_again_changes_nothing(settings: Settings) -> None:
    objects = Objects()

    first = await worked(an_upload_claim(), PICTURE, objects, settings)
    again = await worked(an_upload_claim(), PICTURE, objects, settings)

    assert first.verdict == again.verdict
    assert len(objects.there) == 1


async def test_a_sound_is_named_by_its_bytes_and_not_by_its_url(settings: Settings) -> None:
    fact = (await worked(an_upload_claim(), a_sound(500), Objects(), settings)).verdict.fact

    assert isinstance(fact, MediaStored)
    assert (fact.content_type, fact.duration_ms) == ("audio/wav", 500)
    assert fact.key.endswith(".wav")


@pytest.mark.parametrize(
    ("content", "output_format"), [(b"<html>expired</html>", None), (a_sound(500), "png")], ids=["none", "another"]
)
async def test_a_source_that_is_not_the_media_asked_for_fails_for_good_and_nothing_is_stored(
    content: bytes, output_format: str | None, settings: Settings
) -> None:
    objects = Objects()

    fact = await failure_of(an_upload_claim(output_format=output_format), content, objects, settings)

    assert (fact.code, fact.final, objects.there) == ("output_unexpected", True, {})


async def test_what_a_fetch_becomes_is_what_the_fetcher_says(settings: Settings) -> None:
    gone = FetchError("source_expired", "the source answered 404", passing=False)

    fact = await failure_of(an_upload_claim(), gone, Objects(), settings)

    assert (fact.code, fact.message) == ("source_expired", "the source answered 404")


async def test_what_the_store_does_not_take_is_kept_in_a_file(settings: Settings) -> None:
    done = await worked(an_upload_claim(), PICTURE, Objects(faults=[AWAY]), settings)

    claim = done.verdict.claim
    assert isinstance(done.verdict.fact, UploadFailed)
    assert (done.verdict.fact.code, done.verdict.fact.final, claim.state) == ("storage_failed", False, "SPOOLED")
    assert claim.spooled is not None
    assert (settings.spool_dir / "uploader-1" / claim.spooled.file).read_bytes() == PICTURE


async def test_other_bytes_under_the_key_are_left_and_nothing_is_kept(settings: Settings) -> None:
    objects = Objects()
    objects.there[f"jobs/0d0/{JOB}/1/0.png"] = (b"other", "image/png")

    fact = await failure_of(an_upload_claim(), PICTURE, objects, settings)

    assert (fact.code, fact.final) == ("key_conflict", True)
    assert objects.there[f"jobs/0d0/{JOB}/1/0.png"] == (b"other", "image/png")
    assert list((settings.spool_dir / "uploader-1").iterdir()) == []


async def test_a_spooled_output_is_stored_from_its_file_and_no_source_is_asked(settings: Settings) -> None:
    objects, folder = Objects(), settings.spool_dir / "uploader-1"
    folder.mkdir()
    (folder / "a-file.1").write_bytes(PICTURE)
    media = some_media(sha256=hashlib.sha256(PICTURE).hexdigest())
    claim = an_upload_claim(state="SPOOLED", media=media, spooled=Spooled("a-file.1", "uploader-1"))

    done = await worked(claim, AssertionError("a source was asked"), objects, settings)

    assert (done.verdict.claim.state, objects.there) == ("STORED", {media.key: (PICTURE, media.content_type)})


async def test_a_staged_source_is_taken_from_the_bucket(settings: Settings) -> None:
    objects = Objects()
    objects.there["staged/1"] = (PICTURE, "")
    claim = an_upload_claim(
        source=StagedSource(key="staged/1", sha256=hashlib.sha256(PICTURE).hexdigest(), size=len(PICTURE))
    )

    assert (await worked(claim, AssertionError(), objects, settings)).verdict.claim.state == "STORED"


async def test_a_staged_source_that_is_not_there_has_expired(settings: Settings) -> None:
    claim = an_upload_claim(source=StagedSource(key="staged/1", sha256="0" * 64, size=5))

    assert (await failure_of(claim, AssertionError(), Objects(), settings)).code == "source_expired"
