"""Storing again is free and makes nothing; what was removed stays removed, whatever is said later."""

from functools import partial

from darkroom.simulators.replicate.faults.files import FileError, FileWrongType
from schemas.clock import utc_now
from schemas.events import DataRemoved, MediaGenerated
from tests.pipeline.driver import DEADLINE, Json, until
from tests.pipeline.storing.site import TENANT, Made, Site
from tests.strange_store import Refuses

BRIEF = {"UPLOADER_STORE_FOR": "PT1S", "UPLOADER_STORE_TIMEOUT": "PT10S"}
AWAY = Refuses(503, "SlowDown")


async def not_stored(here: Site, outputs: int = 2) -> Made:
    """A job whose outputs were fetched, and failed because the store was away for too long."""
    await here.uploader(**BRIEF)
    here.store.stays_wrong(AWAY, on="PUT")
    made = await here.make(outputs)
    job = await here.end_of(made)
    assert (job["status"], errors(job)) == ("FAILED", ["storage_failed"] * outputs)
    here.store.recovers()
    return made


def errors(job: Json) -> list[str]:
    return [media["error_code"] for media in job["media"]]


async def test_a_retry_stores_from_the_spool_what_could_not_be_stored_though_its_source_is_gone(here: Site) -> None:
    made = await not_stored(here)
    here.replicate.use(FileError(status=404))

    await here.retry(made)
    job = await here.end_of(made, revision=2)

    assert job["status"] == "COMPLETED"
    assert [f"/{made.job_id}/2/" in media["s3_key"] for media in job["media"]] == [True] * 2
    await here.unspooled(made)


async def test_a_retry_of_what_is_stored_copies_it_though_its_source_is_gone(here: Site) -> None:
    await here.uploader(**BRIEF)
    made = await here.make(outputs=2)
    first = await here.end_of(made)
    here.replicate.use(FileError(status=404))

    await here.retry(made)
    job = await here.end_of(made, revision=2)

    assert job["status"] == "COMPLETED"
    assert set(await here.objects(made)) == {media["s3_key"] for each in (first, job) for media in each["media"]}
    assert len(await here.objects(made)) == 4


async def test_a_retry_fetches_again_what_was_no_media_the_first_time(here: Site) -> None:
    await here.uploader(**BRIEF)
    here.replicate.use(FileWrongType(body="html", times=1))
    made = await here.make()
    failed = await here.end_of(made)

    await here.retry(made)
    job = await here.end_of(made, revision=2)

    assert (errors(failed), job["status"]) == (["output_unexpected"], "COMPLETED")


async def test_with_source_and_spool_gone_only_a_retry_that_generates_helps_and_it_pays_once(here: Site) -> None:
    made = await not_stored(here, outputs=1)
    [kept] = here.spooled(made)
    kept.unlink()
    here.replicate.use(FileError(status=404))

    await here.retry(made)
    lost = await here.end_of(made, revision=2)
    here.replicate.use()
    await here.retry(made, revision=3, start="generate")
    job = await here.end_of(made, revision=3, calls=2)

    assert (lost["status"], errors(lost)) == ("FAILED", ["source_expired"])
    assert job["status"] == "COMPLETED"


async def test_a_removal_while_the_store_is_away_is_done_when_it_is_back(here: Site) -> None:
    await here.uploader(**BRIEF)
    made = await here.make(outputs=2)
    await here.end_of(made)
    before = here.store.count("DELETE")
    here.store.stays_wrong(AWAY, on="DELETE")

    await remove(here, made)
    await until(partial(tried, here, before), DEADLINE, "the deletion to be tried")
    kept = await here.objects(made)
    here.store.recovers()

    assert len(kept) == 2
    await gone(here, made)


async def test_a_job_whose_data_are_removed_before_they_are_heard_of_is_never_stored(here: Site) -> None:
    await here.close()
    made = await here.make(outputs=2)
    await here.said(MediaGenerated, made, 2)
    await here.pipeline.say(DataRemoved.say(made.job_id, TENANT, utc_now(), revision=1, reason="age"))
    before = here.store.count("PUT")
    await here.uploader(**BRIEF)

    job = await here.end_of(made)

    assert (job["status"], errors(job)) == ("FAILED", ["data_removed"] * 2)
    assert (await here.objects(made), here.store.count("PUT")) == ({}, before)


async def test_facts_that_come_after_a_removal_bring_nothing_back(here: Site) -> None:
    await here.uploader(**BRIEF)
    made = await here.make(outputs=2)
    await here.end_of(made)
    log = [record for record in await here.pipeline.records() if record.key == str(made.job_id).encode()]
    await remove(here, made)
    await gone(here, made)

    await here.pipeline.reproduce(log)
    await here.retry(made)
    job = await here.pipeline.end_of(made.job_id, revision=2)
    await here.pipeline.settled()

    assert (job["status"], errors(job)) == ("FAILED", ["data_removed"] * 2)
    assert await here.objects(made) == {}


async def remove(here: Site, made: Made) -> None:
    """Have a job's data removed by request."""
    answer = await here.pipeline.http.delete(f"/api/v1/jobs/{made.job_id}/data")
    assert answer.status_code == 202


async def tried(here: Site, before: int) -> bool:
    return here.store.count("DELETE") > before


async def gone(here: Site, made: Made) -> None:
    """Return once the bucket holds nothing of a job."""

    async def empty() -> bool:
        return await here.objects(made) == {}

    await until(empty, DEADLINE, f"the objects of job {made.job_id} to be gone")
