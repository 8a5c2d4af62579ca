"""Whose spool file it is: the owner's while it is heard of, anybody's to fetch again after that."""

import os

from tests.builders import JOB, a_generated_output
from tests.integration.uploader_service.desk import PICTURE, Desk, Instance
from uploader_service.fetch import FetchError
from uploader_service.objects import StoreError

AWAY = StoreError("storage_failed", "the store is away", passing=True)
KEY = f"jobs/0d0/{JOB}/1/0.png"


async def an_owner(desk: Desk) -> Instance:
    """An instance with one output in its spool, for the store was away; it is back now."""
    owner = await desk.instance("uploader-1")
    await owner.hears(a_generated_output())
    desk.objects.away = AWAY
    assert await owner.fetches() == ["SPOOLED"]
    desk.objects.away = None
    return owner


async def test_nobody_else_touches_what_an_owner_spooled_while_its_lease_lives(desk: Desk) -> None:
    owner = await an_owner(desk)
    other = await desk.instance("uploader-2")
    desk.passes(minutes=14)

    await other.upkeep.take_over()

    assert [await other.fetches(), await other.stores()] == [[], []]
    assert await owner.stores() == ["STORED"]


async def test_an_owner_that_keeps_trying_keeps_its_lease_for_as_long_as_the_store_is_away(desk: Desk) -> None:
    owner = await an_owner(desk)
    other = await desk.instance("uploader-2")
    desk.objects.away = AWAY

    for _ in range(30):
        desk.passes(seconds=max(await desk.due_in(), 1))
        assert await owner.stores() == ["SPOOLED"]
        await other.upkeep.take_over()

    assert (await desk.state(), desk.sources.asked) == ("SPOOLED", 1)


async def test_an_owner_that_has_more_in_its_spool_than_it_can_try_in_time_keeps_its_lease(desk: Desk) -> None:
    owner = await an_owner(desk)
    other = await desk.instance("uploader-2")

    for _ in range(6):
        desk.passes(minutes=5)
        await owner.upkeep.keep_spooled()
        await other.upkeep.take_over()

    assert await owner.stores() == ["STORED"]
    assert desk.sources.asked == 1


async def test_what_a_silent_owner_spooled_is_fetched_again_by_another(desk: Desk) -> None:
    owner = await an_owner(desk)
    other = await desk.instance("uploader-2")
    desk.passes(minutes=21)

    await other.upkeep.take_over()

    assert await other.fetches() == ["STORED"]
    assert (desk.sources.asked, desk.objects.there[KEY][0]) == (2, PICTURE)
    assert [await owner.stores(), await desk.said()] == [[], ["upload.failed storage_failed", "media.stored"]]
    await owner.upkeep.sweep_spool()
    assert owner.files == []


async def test_an_owner_that_was_stopped_while_it_stored_says_nothing_after_it_was_taken_over(desk: Desk) -> None:
    owner = await an_owner(desk)
    other = await desk.instance("uploader-2")
    desk.passes(minutes=1)
    claims = await owner.worker.claim_to_store(16)
    desk.passes(minutes=21)
    await other.upkeep.take_over()
    await other.fetches()

    await owner.records(await owner.works(claims))

    assert (await desk.said()).count("media.stored") == 1


async def test_a_claim_that_came_too_late_leaves_the_file_to_the_one_that_followed_it(desk: Desk) -> None:
    owner = await an_owner(desk)
    desk.passes(minutes=1)
    late = await owner.works(await owner.worker.claim_to_store(16))
    desk.passes(minutes=5)
    following = await owner.worker.claim_to_store(16)

    await owner.records(late)

    assert await owner.records(await owner.works(following)) == ["STORED"]


async def test_an_owner_that_is_started_again_goes_on_at_once(desk: Desk) -> None:
    await an_owner(desk)
    other = await desk.instance("uploader-2")
    desk.passes(hours=1)

    restarted = await desk.instance("uploader-1")
    await other.upkeep.take_over()

    assert await restarted.stores() == ["STORED"]
    assert desk.sources.asked == 1


async def test_a_restart_gives_back_what_was_claimed_and_hurries_nothing_that_waits(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output(index=1))
    desk.sources.content = FetchError("source_expired", "the source answered 404", passing=False)
    assert await uploader.fetches() == ["ASKED"]
    await uploader.hears(a_generated_output(index=0))
    await uploader.worker.claim_to_fetch(64)

    restarted = await desk.instance()

    assert [claim.index for claim in await restarted.worker.claim_to_fetch(64)] == [0]


async def test_files_that_only_old_instances_knew_are_removed_by_age_and_nothing_younger(desk: Desk) -> None:
    uploader = await desk.instance()
    gone = desk.settings.spool_dir / "uploader-of-long-ago"
    gone.mkdir()
    for name, days in (("old.1.0.1", 9), ("young.1.0.1", 7)):
        (gone / name).write_bytes(PICTURE)
        then = (gone / name).stat().st_mtime - days * 86_400
        os.utime(gone / name, (then, then))

    await uploader.upkeep.sweep_spool()

    assert [file.name for file in gone.iterdir()] == ["young.1.0.1"]


async def test_a_file_whose_output_no_row_knows_is_left_until_it_is_old(desk: Desk) -> None:
    """A database that was restored from a copy may not know it yet."""
    uploader = await desk.instance()
    file = uploader.folder / f"{JOB}.1.0.1"
    file.write_bytes(PICTURE)

    await uploader.upkeep.sweep_spool()
    young = list(uploader.files)
    then = file.stat().st_mtime - 9 * 86_400
    os.utime(file, (then, then))
    await uploader.upkeep.sweep_spool()

    assert (young, uploader.files) == ([file], [])


async def test_what_is_being_written_is_never_swept_though_the_clock_jumps(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    held = uploader.spool.landing((await uploader.worker.claim_to_fetch(64))[0])
    await held.landing.write(bytes(2 * desk.settings.memory_bytes))
    (part,) = uploader.files
    os.utime(part, (0, 0))

    await uploader.upkeep.sweep_spool()

    await held.landing.keep()
    assert [file.name for file in uploader.files] == [held.file]


async def test_a_file_that_cannot_be_read_any_more_is_fetched_again_and_stops_nobody(desk: Desk) -> None:
    uploader = await an_owner(desk)
    (file,) = uploader.files
    file.unlink()
    file.symlink_to("/proc/self/mem")  # whose first byte cannot be read, as of a broken disk
    desk.passes(minutes=1)

    assert await uploader.stores() == ["PENDING"]
    await uploader.upkeep.sweep_spool()

    assert [await uploader.fetches(), await uploader.stores()] == [["SPOOLED"], ["STORED"]]
    assert desk.sources.asked == 2


async def test_what_is_in_hand_is_never_swept(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.objects.away = AWAY
    results = await uploader.works(await uploader.worker.claim_to_fetch(64))
    await desk.pool.execute("UPDATE uploads SET state = 'STORED', due_at = NULL")  # as another might have by then

    await uploader.upkeep.sweep_spool()

    assert len(uploader.files) == 1
    await desk.pool.execute("UPDATE uploads SET state = 'PENDING', due_at = $1", desk.now())
    assert await uploader.records(results) == ["SPOOLED"]
