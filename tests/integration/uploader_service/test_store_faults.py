"""A real store behind a faulty one: what each fault becomes, and that nothing is believed that is not there."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from stage.bucket import bucket_client
from tests.film_files import a_large_mp4_head
from tests.stores import lax_store
from tests.strange_store import Forgets, LosesAnswer, Refuses, Resets, Silent, Slow, StrangeStore, WrongTag
from uploader_service.decide import NotStored
from uploader_service.fetch import FetchError
from uploader_service.landing import Landing
from uploader_service.objects import Objects, StoreError
from uploader_service.settings import Settings
from uploader_service.store_calls import QUICK_TRIES

MEGABYTE = 1 << 20
CHANCE = random.Random(20260112)
SMALL, LARGE = CHANCE.randbytes(60_000), CHANCE.randbytes(13 * MEGABYTE)
SUM = hashlib.sha256(SMALL).hexdigest()
BUSY, FAILING, DENIED = Refuses(503, "SlowDown"), Refuses(500, "InternalError"), Refuses(403, "AccessDenied")

Land = Callable[[bytes], Awaitable[Landing]]


@pytest.fixture(scope="module")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, str]]:
    """Where the real store is."""
    async with lax_store(tmp_path_factory.mktemp("store")) as settings:
        yield settings


@pytest.fixture
async def store(real: dict[str, str]) -> AsyncIterator[StrangeStore]:
    """The faulty one before it."""
    async with StrangeStore.before(real["S3_ENDPOINT_URL"]) as before:
        yield before


@pytest.fixture
async def objects(real: dict[str, str], store: StrangeStore) -> AsyncIterator[Objects]:
    """What puts through the faulty store, and has found out already that it may overwrite."""
    async with opened(real, store) as ready:
        yield ready


def settings_for(real: dict[str, str], store: StrangeStore, **more: str) -> Settings:
    told = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom"}
    quick = {"S3_MULTIPART_BYTES": str(5 * MEGABYTE), "store_timeout": "PT2S"}
    return Settings.model_validate({**told, **real, **quick, "S3_ENDPOINT_URL": store.url, **more})


@asynccontextmanager
async def opened(real: dict[str, str], store: StrangeStore, **more: str) -> AsyncIterator[Objects]:
    settings = settings_for(real, store, **more)
    async with bucket_client(settings) as client:
        objects = Objects(client, settings)
        landing = Landing(Path("/nowhere"), MEGABYTE)
        await landing.write(b"to find out")
        await objects.put(f"first/{uuid4()}", landing, "text/plain", first=True)
        store.asked.clear()
        yield objects


@pytest.fixture
async def land(tmp_path: Path) -> AsyncIterator[Land]:
    """Brings bytes into a landing, in memory up to a megabyte."""
    made: list[Landing] = []

    async def landed(content: bytes) -> Landing:
        made.append(Landing(tmp_path / f"output-{len(made)}", MEGABYTE))
        await made[-1].write(content)
        return made[-1]

    yield landed
    for landing in made:
        await landing.discard()


@pytest.fixture
def key() -> str:
    return f"jobs/abc/{uuid4()}/1/0.png"


async def stored(objects: Objects, key: str) -> list[int]:
    """The size of what lies under the key, if anything."""
    return [found.size async for found in objects.listed(key)]


async def outcome_of(putting: Awaitable[None]) -> NotStored:
    async with asyncio.timeout(20):
        with pytest.raises(StoreError) as failed:
            await putting
    return failed.value.outcome


@pytest.mark.parametrize(
    "fault", [FAILING, Refuses(502, "BadGateway"), Refuses(400, "BadDigest"), Resets(0), Resets(30_000)], ids=str
)
async def test_a_fault_of_a_moment_is_gone_with_the_next_quick_try(
    objects: Objects, store: StrangeStore, land: Land, key: str, fault: Refuses | Resets
) -> None:
    store.goes_wrong(*[fault] * (QUICK_TRIES - 1))

    await objects.put(key, await land(SMALL), "image/png", first=True)

    assert store.count("PUT") == QUICK_TRIES
    assert await stored(objects, key) == [len(SMALL)]


@pytest.mark.parametrize(
    ("fault", "puts", "words"),
    [
        (FAILING, QUICK_TRIES, "answered InternalError"),
        (Resets(30_000), 2 * QUICK_TRIES, "did not answer"),  # aiohttp repeats a broken PUT once by itself
        (BUSY, 1, "answered SlowDown"), (DENIED, 1, "answered AccessDenied"),
        (Refuses(404, "NoSuchBucket"), 1, "answered NoSuchBucket"), (Silent(), 1, "did not answer within"),
        (Slow(10_000), 1, "did not answer within"),
    ],
    ids=str,
)  # fmt: skip
async def test_a_fault_that_stays_is_a_passing_failure_until_the_store_is_back(
    objects: Objects, store: StrangeStore, land: Land, key: str, fault: Refuses, puts: int, words: str
) -> None:
    landing = await land(SMALL)
    store.stays_wrong(fault, on="PUT")

    outcome = await outcome_of(objects.put(key, landing, "image/png", first=True))

    assert (outcome.code, outcome.passing, store.count("PUT")) == ("storage_failed", True, puts)
    assert words in outcome.message
    store.recovers()
    await objects.put(key, landing, "image/png", first=False)
    assert await stored(objects, key) == [len(SMALL)]


@pytest.mark.parametrize("tag", ["none", '"0123456789abcdef0123456789abcdef"'], ids=["no tag", "another tag"])
async def test_a_yes_without_the_right_tag_is_looked_into_and_put_again(
    objects: Objects, store: StrangeStore, land: Land, key: str, tag: str
) -> None:
    store.goes_wrong(Forgets(tag))

    await objects.put(key, await land(SMALL), "image/png", first=True)

    assert (store.count("PUT"), store.count("HEAD")) == (2, 1)
    assert await stored(objects, key) == [len(SMALL)]


async def test_a_store_that_always_forgets_is_never_believed(
    objects: Objects, store: StrangeStore, land: Land, key: str
) -> None:
    store.stays_wrong(Forgets("none"), on="PUT")

    outcome = await outcome_of(objects.put(key, await land(SMALL), "image/png", first=True))

    assert outcome == NotStored("storage_failed", "the store does not have what it said that it took", passing=True)


async def test_a_store_that_forgets_with_the_right_tag_is_found_out_when_each_put_is_verified(
    real: dict[str, str], store: StrangeStore, land: Land, key: str
) -> None:
    async with opened(real, store, S3_VERIFY="head") as objects:
        store.goes_wrong(Forgets())

        await objects.put(key, await land(SMALL), "image/png", first=True)

        assert store.count("PUT") == 2
        assert await stored(objects, key) == [len(SMALL)]


@pytest.mark.parametrize("tag", ["", '"0123456789abcdef0123456789abcdef"', '"not-a-sum"'])
async def test_what_is_there_counts_whatever_its_tag_is(
    objects: Objects, store: StrangeStore, land: Land, key: str, tag: str
) -> None:
    store.stays_wrong(WrongTag(tag), on="PUT")

    await objects.put(key, await land(SMALL), "image/png", first=True)

    assert (store.count("PUT"), store.count("HEAD")) == (1, 1)


async def test_an_answer_that_was_lost_is_found_to_be_a_yes(
    objects: Objects, store: StrangeStore, land: Land, key: str
) -> None:
    landing = await land(SMALL)
    store.stays_wrong(LosesAnswer(), on="PUT")
    assert (await outcome_of(objects.put(key, landing, "image/png", first=True))).passing
    store.recovers()

    puts = store.count("PUT")
    await objects.put(key, landing, "image/png", first=False)

    assert store.count("PUT") == puts


@pytest.mark.parametrize("fault", [FAILING, Resets(2 * MEGABYTE)], ids=str)
async def test_one_part_of_a_large_file_is_put_again_alone(
    objects: Objects, store: StrangeStore, land: Land, key: str, fault: Refuses | Resets
) -> None:
    store.goes_wrong(None, fault)

    await objects.put(key, await land(LARGE), "video/mp4", first=True)

    assert store.count("PUT") == 4
    assert await stored(objects, key) == [len(LARGE)]


async def test_a_large_file_that_fails_leaves_no_parts_behind(
    objects: Objects, store: StrangeStore, land: Land, key: str
) -> None:
    store.goes_wrong(None, DENIED)

    outcome = await outcome_of(objects.put(key, await land(LARGE), "video/mp4", first=True))

    assert (outcome.code, outcome.passing) == ("storage_failed", True)
    assert [asked.target.split("?")[0] for asked in store.asked if asked.method == "DELETE"] == [f"/media/{key}"]
    assert await stored(objects, key) == []


async def test_a_large_file_that_is_there_although_the_store_said_no_is_not_put_again(
    objects: Objects, store: StrangeStore, land: Land, key: str
) -> None:
    landing = await land(LARGE)
    store.goes_wrong(None, LosesAnswer(), on="POST")

    await outcome_of(objects.put(key, landing, "video/mp4", first=True))
    puts = store.count("PUT")
    await objects.put(key, landing, "video/mp4", first=False)

    assert store.count("PUT") == puts
    assert await stored(objects, key) == [len(LARGE)]


@pytest.mark.parametrize(
    ("fault", "code", "passing"),
    [
        (BUSY, "source_unavailable", True), (DENIED, "source_unavailable", True),
        (Silent(), "source_unavailable", True),
        (Resets(20_000, answer=True), "source_unavailable", True),
        (Refuses(404, "NoSuchKey"), "source_expired", False),
        (Refuses(404, "NoSuchBucket"), "source_unavailable", True),
    ],
    ids=str,
)  # fmt: skip
async def test_what_becomes_of_a_staged_source_that_cannot_be_had(
    objects: Objects, store: StrangeStore, land: Land, key: str, fault: Refuses, code: str, passing: bool
) -> None:
    await objects.put(key, await land(SMALL), "image/png", first=True)
    store.goes_wrong(fault, on="GET")

    async with asyncio.timeout(20):
        with pytest.raises(FetchError) as failed:
            await objects.get_staged(key, SUM, await land(b""))

    assert (failed.value.outcome.code, failed.value.outcome.passing) == (code, passing)


async def test_deleting_and_listing_outlast_a_moment_and_say_when_it_lasts(
    objects: Objects, store: StrangeStore, land: Land, key: str
) -> None:
    await objects.put(key, await land(SMALL), "image/png", first=True)
    store.goes_wrong(FAILING, on="GET")
    assert await stored(objects, key) == [len(SMALL)]
    store.goes_wrong(FAILING, on="DELETE")
    await objects.delete([key])
    assert await stored(objects, key) == []

    store.stays_wrong(DENIED)

    assert (await outcome_of(objects.delete([key]))).passing
    with pytest.raises(StoreError, match="AccessDenied"):
        await stored(objects, key)


async def test_no_secret_and_no_signature_is_in_what_is_said_of_a_fault(
    objects: Objects, store: StrangeStore, land: Land, key: str
) -> None:
    store.stays_wrong(Refuses(403, "SignatureDoesNotMatch"))

    outcome = await outcome_of(objects.put(key, await land(SMALL), "image/png", first=True))

    assert outcome.message == "the store answered SignatureDoesNotMatch"


async def test_a_film_of_half_a_gigabyte_is_put_through_little_memory(
    real: dict[str, str], store: StrangeStore, tmp_path: Path, key: str
) -> None:
    size, path = 500 * MEGABYTE, tmp_path / "film"
    with path.open("wb") as file:
        file.write(a_large_mp4_head(size))
        file.truncate(size)
    landing = await Landing.kept(path, MEGABYTE)
    assert landing is not None
    process = psutil.Process()

    async with opened(
        real,
        store,
        S3_MULTIPART_BYTES=str(16 * MEGABYTE),
        S3_ENDPOINT_URL=real["S3_ENDPOINT_URL"],
        store_timeout="PT60S",
    ) as objects:
        before = most = process.memory_info().rss
        putting = asyncio.create_task(objects.put(key, landing, "video/mp4", first=True))
        while not putting.done():
            await asyncio.wait([putting], timeout=0.05)
            most = max(most, process.memory_info().rss)
        await putting
        assert await stored(objects, key) == [size]
        await objects.delete([key])

    await landing.discard()
    assert most - before < 64 * MEGABYTE
