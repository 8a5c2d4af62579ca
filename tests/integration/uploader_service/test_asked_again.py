"""Sources that are asked for once more, and outputs that are stored again without being generated again."""

import asyncio

from schemas.events import MediaGenerated, Redo, RetryRequested, UrlSource
from tests.builders import JOB, a_generated_output, a_retry
from tests.integration.uploader_service.desk import PICTURE, STAGED, Desk, Instance
from uploader_service.fetch import FetchError
from uploader_service.objects import StoreError

AWAY = StoreError("storage_failed", "the store is away", passing=True)
GONE = FetchError("source_expired", "the source answered 404", passing=False)


def a_renewal(**changes: object) -> MediaGenerated:
    """Where the same output lies now."""
    return a_generated_output(
        **{"renewal": 1, "source": UrlSource(url="https://replicate.delivery/again.png")} | changes
    )


def stored_again(index: int = 0, revision: int = 2) -> RetryRequested:
    return a_retry(Redo(index=index, start="store"), revision=revision)


async def an_asked_one(desk: Desk) -> Instance:
    """An instance whose one output had expired, so that the provider was asked."""
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.sources.content = GONE
    assert await uploader.fetches() == ["ASKED"]
    await desk.publishes()
    return uploader


async def test_an_expired_source_is_asked_for_and_the_new_one_is_fetched_at_once(desk: Desk) -> None:
    uploader = await an_asked_one(desk)
    assert await uploader.fetches() == []
    desk.sources.content = PICTURE

    await uploader.hears(a_renewal())

    assert await uploader.fetches() == ["STORED"]
    assert await desk.said() == ["upload.failed source_expired", "media.stored"]


async def test_a_renewed_source_that_expires_as_well_is_the_end(desk: Desk) -> None:
    uploader = await an_asked_one(desk)
    await uploader.hears(a_renewal())

    assert await uploader.fetches() == ["FAILED"]
    assert await desk.said() == ["upload.failed source_expired", "upload.failed source_expired for good"]


async def test_a_provider_that_does_not_answer_is_waited_for_with_patience_and_not_longer(desk: Desk) -> None:
    uploader = await an_asked_one(desk)

    desk.passes(minutes=4)
    early = await uploader.fetches()
    desk.passes(minutes=1)

    assert (early, await uploader.fetches()) == ([], ["FAILED"])
    assert (await desk.said())[-1] == "upload.failed source_expired for good"


async def test_a_provider_is_given_its_time_anew_when_nobody_of_ours_could_hear_it(desk: Desk) -> None:
    await an_asked_one(desk)
    desk.passes(hours=1)

    restarted = await desk.instance()
    desk.sources.content = PICTURE

    assert await restarted.fetches() == ["ASKED"]
    await restarted.hears(a_renewal())
    assert await restarted.fetches() == ["STORED"]


async def test_a_provider_that_was_not_asked_yet_because_kafka_was_away_is_waited_for(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.sources.content = GONE
    await uploader.fetches()
    desk.passes(minutes=5)
    unsaid = await uploader.fetches()

    await desk.publishes()
    desk.passes(minutes=4)
    early = await uploader.fetches()
    desk.passes(minutes=1)

    assert (unsaid, early, await uploader.fetches()) == (["ASKED"], [], ["FAILED"])


async def test_an_answer_that_comes_while_the_end_is_being_recorded_wins(desk: Desk) -> None:
    uploader = await an_asked_one(desk)
    desk.passes(minutes=5)
    ends = await uploader.works(await uploader.worker.claim_to_fetch(64))
    desk.sources.content = PICTURE

    await uploader.hears(a_renewal())
    await uploader.records(ends)

    assert await uploader.fetches() == ["STORED"]


async def test_a_renewal_of_what_did_not_ask_for_it_changes_nothing(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_renewal())
    assert await uploader.fetches() == []
    await uploader.hears(a_generated_output())
    await uploader.fetches()
    before = await desk.pool.fetchrow("SELECT * FROM uploads")

    await uploader.hears(a_renewal(), a_renewal(renewal=2), a_renewal(index=1))

    assert await desk.pool.fetch("SELECT * FROM uploads") == [before]


async def test_storing_again_what_was_stored_copies_it_without_its_source(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    await uploader.fetches()
    desk.sources.content = GONE

    await uploader.hears(stored_again())

    assert [await uploader.fetches(), await uploader.fetches()] == [["PENDING"], ["STORED"]]
    assert {key: content for key, (content, _) in desk.objects.there.items()} == {
        f"jobs/0d0/{JOB}/1/0.png": PICTURE,
        f"jobs/0d0/{JOB}/2/0.png": PICTURE,
    }
    assert (desk.sources.asked, await uploader.deletes()) == (1, 0)


async def test_storing_again_what_failed_to_be_stored_takes_its_spool_file(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    desk.objects.away = AWAY
    await uploader.fetches()
    desk.passes(hours=24)
    assert await uploader.stores() == ["FAILED"]
    desk.sources.content, desk.objects.away = GONE, None

    desk.passes(hours=24)
    await uploader.upkeep.sweep_spool()
    await uploader.hears(stored_again())

    assert [await uploader.fetches(), await uploader.stores()] == [["SPOOLED"], ["STORED"]]
    assert list(desk.objects.there) == [f"jobs/0d0/{JOB}/2/0.png"]
    assert (desk.sources.asked, uploader.files) == (1, [])


async def test_storing_again_what_had_expired_asks_the_provider_once_in_the_new_revision(desk: Desk) -> None:
    uploader = await an_asked_one(desk)
    desk.passes(minutes=5)
    await uploader.fetches()

    await uploader.hears(stored_again())
    asked = [await uploader.fetches(), await uploader.fetches()]
    desk.sources.content = PICTURE
    await uploader.hears(a_renewal(revision=2))

    assert (asked, await uploader.fetches()) == ([["PENDING"], ["ASKED"]], ["STORED"])
    assert [fact["revision"] for fact in await desk.facts()] == [1, 1, 2, 2]


async def test_a_retry_that_is_heard_before_its_output_waits_for_it(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(stored_again())
    assert await uploader.fetches() == ["WAITING"]

    desk.passes(minutes=1)
    await uploader.hears(a_generated_output())

    assert sorted(await uploader.fetches()) == ["PENDING", "STORED"]
    assert await uploader.fetches() == ["STORED"]
    assert sorted(desk.objects.there) == [f"jobs/0d0/{JOB}/{revision}/0.png" for revision in (1, 2)]


async def test_a_database_that_restarts_while_a_retry_looks_for_its_output_stops_nobody(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    await uploader.fetches()
    await uploader.hears(stored_again())
    claims = await uploader.worker.claim_to_fetch(64)

    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK uploads IN ACCESS EXCLUSIVE MODE")
        looking = asyncio.create_task(uploader.works(claims))
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        async with asyncio.timeout(10):
            while not await desk.pool.fetchval(cut):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)

    async with asyncio.timeout(10):
        assert await uploader.records(await looking) == ["PENDING"]


async def test_a_retry_of_what_never_existed_ends(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(stored_again())

    tries = 0
    while await desk.state(revision=2) == "WAITING":
        desk.passes(seconds=await desk.due_in())
        await uploader.fetches()
        tries += 1

    assert await desk.said() == ["upload.failed source_expired for good"]
    assert tries < 100


async def test_a_retry_that_comes_twice_or_generates_adds_nothing(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(stored_again(), a_retry(Redo(index=1, start="generate"), revision=2))
    await uploader.hears(stored_again())

    assert await desk.pool.fetchval("SELECT count(*) FROM uploads") == 1


async def test_a_retry_on_another_instance_leaves_the_file_to_its_owner(desk: Desk) -> None:
    owner, other = await desk.instance("uploader-1"), await desk.instance("uploader-2")
    await owner.hears(a_generated_output())
    desk.objects.away = AWAY
    await owner.fetches()
    desk.passes(hours=24)
    await owner.stores()
    desk.sources.content, desk.objects.away = GONE, None

    await other.hears(stored_again())

    assert [await other.fetches(), await other.stores(), await owner.stores()] == [["SPOOLED"], [], ["STORED"]]


async def test_a_staged_object_goes_once_its_output_is_stored_and_recorded(desk: Desk) -> None:
    uploader = await desk.instance()
    desk.objects.there[STAGED.key] = (PICTURE, "")
    await uploader.hears(a_generated_output(source=STAGED))
    results = await uploader.works(await uploader.worker.claim_to_fetch(64))
    assert await uploader.deletes() == 0

    await uploader.records(results)
    desk.objects.away = AWAY
    failed = await uploader.deletes()
    desk.objects.away = None
    desk.passes(minutes=1)

    assert [failed, await uploader.deletes(), await uploader.deletes()] == [1, 1, 0]
    assert list(desk.objects.there) == [f"jobs/0d0/{JOB}/1/0.png"]


async def test_staged_objects_that_nobody_took_are_deleted_by_age_and_no_outputs(desk: Desk) -> None:
    uploader = await desk.instance()
    desk.objects.there = dict.fromkeys(("staged/old", "staged/young", "jobs/0d0/old"), (PICTURE, ""))
    desk.objects.times = {key: desk.now() for key in ("staged/old", "jobs/0d0/old")}
    desk.passes(days=31)
    desk.objects.times["staged/young"] = desk.now()

    await uploader.upkeep.sweep_bucket()

    assert sorted(desk.objects.there) == ["jobs/0d0/old", "staged/young"]


async def test_of_two_retries_that_ask_for_one_revision_the_first_counts(desk: Desk) -> None:
    uploader = await desk.instance()
    await uploader.hears(a_generated_output(index=0), a_generated_output(index=1))
    await uploader.fetches()
    said = len(await desk.said())

    await uploader.hears(stored_again(index=0), stored_again(index=1))
    await uploader.hears(stored_again(index=1), stored_again(index=0))
    for _ in range(2):  # what there is to store is looked for first
        await uploader.fetches()

    assert [(fact["index"], fact["revision"]) for fact in (await desk.facts())[said:]] == [(0, 2)]
