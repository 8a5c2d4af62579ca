"""Data that was removed: what lies in the bucket goes, and nothing of it comes back."""

from schemas.events import Redo
from tests.builders import ANOTHER_JOB, JOB, a_generated_output, a_removal, a_retry
from tests.integration.uploader_service.desk import PICTURE, STAGED, Desk
from uploader_service.objects import StoreError

AWAY = StoreError("storage_failed", "the store is away", passing=True)


async def test_what_is_stored_of_a_job_is_deleted_up_to_that_revision_and_nothing_else(desk: Desk) -> None:
    uploader = await desk.instance()
    for revision in (1, 2, 3):
        await uploader.hears(a_generated_output(revision=revision))
    await uploader.hears(a_generated_output(job_id=ANOTHER_JOB))
    await uploader.fetches()

    await uploader.hears(a_removal(revision=2))
    await uploader.deletes()

    assert sorted(desk.objects.there) == [f"jobs/0d0/{JOB}/3/0.png", f"jobs/1e2/{ANOTHER_JOB}/1/0.png"]


async def test_a_removal_that_the_store_does_not_take_is_tried_until_it_does(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    await uploader.fetches()
    await uploader.hears(a_removal())
    desk.objects.away = AWAY

    for _ in range(20):
        await uploader.deletes()
        desk.passes(hours=1)
    desk.objects.away = None
    await uploader.deletes()

    assert desk.objects.there == {}


async def test_what_was_not_over_ends_as_removed_and_is_never_fetched(desk: Desk) -> None:
    uploader = await desk.instance()
    desk.objects.there[STAGED.key] = (PICTURE, "")
    await uploader.hears(a_generated_output(source=STAGED), a_generated_output(index=1))

    await uploader.hears(a_removal())

    assert await uploader.fetches() == ["FAILED", "FAILED"]
    assert await desk.said() == ["upload.failed data_removed for good"] * 2
    await uploader.deletes()
    assert (desk.sources.asked, desk.objects.there) == (0, {})
    assert await desk.pool.fetchval("SELECT count(*) FROM uploads WHERE source <> 'null'") == 0


async def test_a_removal_that_comes_before_anything_else_is_remembered(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_removal())

    await uploader.hears(a_generated_output(), a_generated_output(revision=2))

    assert sorted(await uploader.fetches()) == ["FAILED", "STORED"]
    assert list(desk.objects.there) == [f"jobs/0d0/{JOB}/2/0.png"]


async def test_what_was_spooled_is_removed_from_the_disk_of_its_owner(desk: Desk) -> None:
    owner, other = await desk.instance("uploader-1"), await desk.instance("uploader-2")
    await owner.hears(a_generated_output())
    desk.objects.away = AWAY
    await owner.fetches()
    desk.objects.away = None

    await other.hears(a_removal())
    ended = await other.fetches()
    await owner.upkeep.sweep_spool()

    assert (ended, owner.files, desk.objects.there) == (["FAILED"], [], {})


async def test_an_upload_that_was_under_way_is_deleted_when_it_is_done(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    claims = await uploader.worker.claim_to_fetch(64)
    await uploader.hears(a_removal())
    await uploader.deletes()

    await uploader.records(await uploader.works(claims))
    await uploader.deletes()

    assert desk.objects.there == {}
    assert await uploader.fetches() == ["FAILED"]
    assert await desk.said() == ["upload.failed data_removed for good"]


async def test_an_upload_that_was_killed_after_its_put_is_deleted_in_a_later_round(desk: Desk) -> None:
    killed = await desk.instance()
    await killed.hears(a_generated_output())
    claims = await killed.worker.claim_to_fetch(64)
    await killed.hears(a_removal())
    await killed.deletes()
    await killed.works(claims)
    assert len(desk.objects.there) == 1

    again = await desk.instance()
    desk.passes(minutes=11)
    await again.deletes()

    assert desk.objects.there == {}


async def test_nothing_that_was_removed_is_stored_again(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    await uploader.fetches()
    await uploader.hears(a_removal())

    await uploader.hears(a_retry(Redo(index=0, start="store"), revision=2))

    assert await uploader.fetches() == ["FAILED"]
    assert (await desk.said())[-1] == "upload.failed data_removed for good"


async def test_a_removal_that_is_heard_again_does_nothing(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_removal(revision=2))
    planned = await desk.pool.fetch("SELECT * FROM deletions")

    await uploader.hears(a_removal(revision=2), a_removal(revision=1))

    assert await desk.pool.fetch("SELECT * FROM deletions") == planned
