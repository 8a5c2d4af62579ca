"""Fetching and storing as two steps, on real rows: what an outage, a full disk and a kill in between may cost."""

import pytest

from schemas.events import UrlSource
from tests.builders import ANOTHER_JOB, JOB, a_generated_output, later
from tests.integration.uploader_service.desk import PICTURE, Desk
from uploader_service.fetch import FetchError
from uploader_service.objects import StoreError

AWAY = StoreError("storage_failed", "the store is away", passing=True)
GONE = FetchError("source_expired", "the source answered 404", passing=False)
KEY = f"jobs/0d0/{JOB}/1/0.png"


def an_hours_output() -> UrlSource:
    return UrlSource(url="https://replicate.delivery/a.png", expires_at=later(3_600))


async def test_a_small_output_is_one_claim_and_one_record_and_touches_no_disk(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())

    assert await uploader.fetches() == ["STORED"]
    assert (await desk.said(), uploader.files) == (["media.stored"], [])
    assert desk.objects.there == {KEY: (PICTURE, "image/png")}


async def test_a_store_that_is_away_for_45_minutes_loses_nothing_and_the_source_is_fetched_once(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output(source=an_hours_output()))
    desk.objects.away = AWAY
    assert await uploader.fetches() == ["SPOOLED"]
    desk.sources.content = GONE

    while desk.time < later(45 * 60):
        desk.passes(seconds=max(await desk.due_in(), 1))
        await uploader.stores()
    desk.time, desk.objects.away = later(61 * 60), None

    assert await uploader.stores() == ["STORED"]
    assert desk.objects.there[KEY][0] == PICTURE
    assert (desk.sources.asked, uploader.files) == (1, [])
    said = await desk.said()
    assert said[-1] == "media.stored"
    assert set(said[:-1]) == {"upload.failed storage_failed"}


async def test_while_the_store_is_away_outputs_are_kept_without_asking_it_each_time(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(*(a_generated_output(index=index) for index in range(3)))
    desk.objects.away = AWAY

    kept = [await uploader.fetches(1) for _ in range(3)]
    asked, desk.objects.away = len(desk.objects.firsts), None
    desk.passes(minutes=5)
    stored = await uploader.stores()
    await uploader.hears(a_generated_output(job_id=ANOTHER_JOB))

    assert (kept, asked, stored) == ([["SPOOLED"]] * 3, 1, ["STORED"] * 3)
    assert await uploader.fetches() == ["STORED"]


async def test_while_the_store_is_slow_outputs_are_kept_first_so_that_no_fetch_waits_for_it(desk: Desk) -> None:
    async def takes_long() -> None:
        desk.passes(seconds=10)

    uploader = await desk.instance()
    await uploader.hears(*(a_generated_output(index=index) for index in range(3)))
    desk.objects.on_stored = takes_long

    slow = [await uploader.fetches(1) for _ in range(2)]
    desk.objects.on_stored = _goes_on

    assert (slow, await uploader.stores()) == ([["STORED"], ["SPOOLED"]], ["STORED"])
    assert await uploader.fetches() == ["STORED"]


async def test_with_a_full_disk_a_store_that_was_away_is_asked_all_the_same(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.objects.away, desk.full_disk = AWAY, True
    assert await uploader.fetches() == ["PENDING"]

    desk.objects.away = None
    desk.passes(minutes=5)

    assert await uploader.fetches() == ["STORED"]


async def test_every_try_of_both_steps_has_a_number_of_its_own(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.sources.content = FetchError("source_unavailable", "the source answered 503", passing=True)
    await uploader.fetches()
    desk.sources.content, desk.objects.away = PICTURE, AWAY
    for step in (uploader.fetches, uploader.stores, uploader.stores):
        desk.passes(hours=1)
        await step()
    desk.objects.away = None
    desk.passes(hours=1)
    await uploader.stores()

    facts = await desk.facts()

    assert [fact["attempt"] for fact in facts] == [1, 2, 3, 4, 5]
    assert len({fact["event_id"] for fact in facts}) == 5


async def test_storing_ends_for_good_a_day_after_the_fetch_and_the_file_is_left_for_a_retry(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.objects.away = AWAY
    await uploader.fetches()

    desk.passes(hours=24)
    await uploader.stores()
    await uploader.upkeep.sweep_spool()

    assert (await desk.said())[-1] == "upload.failed storage_failed for good"
    assert len(uploader.files) == 1


async def test_a_file_that_nobody_asked_for_again_is_removed_after_a_while(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.objects.away = AWAY
    await uploader.fetches()
    desk.passes(hours=24)
    await uploader.stores()

    desk.passes(days=7, seconds=1)
    await uploader.upkeep.sweep_spool()

    assert uploader.files == []


async def test_a_large_output_is_safe_in_a_file_before_it_is_stored(desk: Desk) -> None:
    desk.settings = desk.settings.model_copy(update={"memory_bytes": 10})
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())

    assert await uploader.fetches() == ["SPOOLED"]
    assert (desk.objects.firsts, [file.read_bytes() for file in uploader.files]) == ([], [PICTURE])
    assert await uploader.stores() == ["STORED"]
    assert (await desk.said(), uploader.files) == (["media.stored"], [])


async def test_a_kill_between_fetch_and_store_costs_a_fetch(desk: Desk) -> None:
    killed = await desk.instance()
    await killed.hears(a_generated_output())
    desk.objects.away = AWAY
    desk.sources.on_asked = _is_killed

    with pytest.raises(_KilledError):
        await killed.fetches()
    desk.objects.away, desk.sources.on_asked = None, _goes_on
    again = await desk.instance()

    assert await again.fetches() == ["STORED"]
    assert desk.sources.asked == 2


async def test_a_kill_between_store_and_fact_stores_the_same_again_and_says_it_once(desk: Desk) -> None:
    killed = await desk.instance()
    await killed.hears(a_generated_output())
    desk.objects.on_stored = _is_killed

    with pytest.raises(_KilledError):
        await killed.fetches()
    desk.objects.on_stored = _goes_on
    again = await desk.instance()

    assert await again.fetches() == ["STORED"]
    assert (await desk.said(), desk.objects.firsts) == (["media.stored"], [True, False])


async def test_a_kill_between_keeping_and_recording_costs_nothing_though_the_source_is_killed(desk: Desk) -> None:
    killed = await desk.instance()
    await killed.hears(a_generated_output())
    desk.objects.away = AWAY
    await killed.works(await killed.worker.claim_to_fetch(64))
    desk.sources.content, desk.objects.away = GONE, None

    again = await desk.instance()
    await again.upkeep.sweep_spool()

    assert await again.fetches() == ["SPOOLED"]
    assert await again.stores() == ["STORED"]
    assert (desk.objects.there[KEY][0], desk.sources.asked, again.files) == (PICTURE, 1, [])


async def test_a_kill_between_recording_and_removing_the_file_leaves_it_to_the_sweep(desk: Desk) -> None:
    killed = await desk.instance()
    await killed.hears(a_generated_output())
    desk.objects.away = AWAY
    await killed.fetches()
    desk.objects.away = None
    desk.passes(minutes=1)
    results = await killed.works(await killed.worker.claim_to_store(16))
    await killed.store.record([result.verdict for result in results])
    assert len(killed.files) == 1

    again = await desk.instance()
    await again.upkeep.sweep_spool()

    assert (await desk.state(), again.files) == ("STORED", [])


async def test_a_spool_file_that_is_lost_is_fetched_again(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.objects.away = AWAY
    await uploader.fetches()
    desk.objects.away = None
    uploader.files[0].unlink()

    desk.passes(minutes=10)

    assert [await uploader.stores(), await uploader.fetches(), await uploader.stores()] == [
        ["PENDING"], ["SPOOLED"], ["STORED"],
    ]  # fmt: skip


async def test_a_spool_file_that_was_changed_is_never_stored(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.objects.away = AWAY
    await uploader.fetches()
    desk.objects.away = None
    uploader.files[0].write_bytes(b"something else")

    desk.passes(minutes=10)

    assert [await uploader.stores(), await uploader.fetches(), await uploader.stores()] == [
        ["PENDING"], ["SPOOLED"], ["STORED"],
    ]  # fmt: skip
    assert desk.objects.there[KEY][0] == PICTURE


@pytest.mark.parametrize("large", [True, False], ids=["large", "small, and the store away"])
async def test_a_full_disk_loses_nothing_and_costs_no_try(desk: Desk, large: bool) -> None:
    desk.settings = desk.settings.model_copy(update={"memory_bytes": 10 if large else 1_000_000})
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.full_disk, desk.objects.away = True, None if large else AWAY

    for _ in range(20):
        assert await uploader.fetches() == ["PENDING"]
        desk.passes(seconds=max(await desk.due_in(), 1))
    said = set(await desk.said())
    desk.full_disk, desk.objects.away = False, None

    assert said == {"upload.failed spool_full"}
    assert await desk.pool.fetchval("SELECT fetch_attempts FROM uploads") == 0
    assert [*await uploader.fetches(), *await uploader.stores()][-1] == "STORED"


async def test_a_full_disk_does_not_keep_small_outputs_from_a_store_that_answers(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.full_disk = True

    assert await uploader.fetches() == ["STORED"]


async def test_what_runs_out_first_is_fetched_first_among_a_tenants_and_tenants_take_turns(desk: Desk) -> None:
    uploader = await desk.instance()
    for index, minutes in enumerate((50, 5, 20)):
        source = UrlSource(url="https://replicate.delivery/a.png", expires_at=later(60 * minutes))
        await uploader.hears(a_generated_output(index=index, source=source))
    await uploader.hears(a_generated_output(job_id=ANOTHER_JOB, tenant="zebra", index=9))

    claims = await uploader.worker.claim_to_fetch(64)

    assert sorted(claim.index for claim in claims) == [0, 1, 2, 9]
    desk.passes(hours=1)  # their leases are over
    assert {claim.index for claim in await uploader.worker.claim_to_fetch(2)} == {1, 9}
    assert [claim.index for claim in await uploader.worker.claim_to_fetch(1)] == [2]


async def test_outputs_that_wait_for_the_store_keep_nobody_from_fetching(desk: Desk) -> None:
    uploader = await desk.instance()
    desk.objects.away = AWAY
    await uploader.hears(*(a_generated_output(index=index) for index in range(10)))
    await uploader.fetches()
    desk.passes(hours=1)

    await uploader.hears(a_generated_output(job_id=ANOTHER_JOB))

    assert [claim.job_id for claim in await uploader.worker.claim_to_fetch(64)] == [ANOTHER_JOB]


async def test_a_source_that_runs_out_before_it_is_fetched_is_told_of_once(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output(source=an_hours_output()), a_generated_output(index=1))
    desk.passes(minutes=49)
    early = await uploader.aging.running_out(desk.now() + desk.settings.expiry_margin)

    desk.passes(minutes=2)
    told = [await uploader.aging.running_out(desk.now() + desk.settings.expiry_margin) for _ in range(2)]

    assert (early, [len(each) for each in told], told[0][0].index) == ([], [1, 0], 0)


async def test_a_claim_that_takes_longer_than_its_lease_is_kept_while_its_process_goes_on(desk: Desk) -> None:
    one, other = await desk.instance("uploader-1"), await desk.instance("uploader-2")
    await one.hears(a_generated_output())
    [claim] = await one.worker.claim_to_fetch(64)
    one.worker.in_work.add((claim.id, claim.fence))

    for _ in range(10):
        desk.passes(minutes=1)
        await one.upkeep.keep_claims()
        assert await other.fetches() == []

    assert await one.records(await one.works([claim])) == ["STORED"]
    desk.passes(minutes=10)
    await one.upkeep.keep_claims()
    assert await desk.state() == "STORED"


class _KilledError(BaseException):
    """Nothing in the code catches it, so that what comes after it does not happen."""


async def _is_killed() -> None:
    raise _KilledError


async def _goes_on() -> None:
    pass
