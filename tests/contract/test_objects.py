"""The bucket as the uploader needs it, on a lax and on a strict store: what one suite can promise of both."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from schemas.clock import utc_now
from stage.bucket import bucket_client
from tests.stores import NoStrictStoreError, lax_store, strict_store
from tests.strange_store import Silent, StrangeStore
from uploader_service.fetch import FetchError
from uploader_service.landing import Landing
from uploader_service.objects import Objects, StoreError
from uploader_service.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

MEGABYTE = 1 << 20
CHANCE = random.Random(20260112)
SMALL, LARGE = CHANCE.randbytes(60_000), CHANCE.randbytes(13 * MEGABYTE)
OTHER = CHANCE.randbytes(60_000)
TOLD = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom"}

Store = dict[str, str]
Land = Callable[[bytes], Awaitable[Landing]]


@pytest.fixture(scope="module", params=["lax", "strict"])
async def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    """Where a real store is."""
    serving = lax_store if request.param == "lax" else strict_store
    try:
        async with serving(tmp_path_factory.mktemp(request.param)) as settings:
            yield settings
    except NoStrictStoreError as why:
        pytest.skip(str(why))


@pytest.fixture
async def strange(store: Store) -> AsyncIterator[StrangeStore]:
    """The store behind one that counts."""
    async with StrangeStore.before(store["S3_ENDPOINT_URL"]) as before:
        yield before


def settings_of(store: Store, **more: str | int) -> Settings:
    return Settings.model_validate({**TOLD, "S3_MULTIPART_BYTES": str(5 * MEGABYTE), **store, **more})


@pytest.fixture
async def client(store: Store) -> AsyncIterator["S3Client"]:
    """A plain client, to look behind our back."""
    async with bucket_client(settings_of(store)) as opened:
        yield opened


@pytest.fixture
async def objects(store: Store, client: "S3Client") -> Objects:
    return Objects(client, settings_of(store))


@pytest.fixture
async def land(tmp_path: Path) -> AsyncIterator[Land]:
    """Brings bytes into a landing, in memory up to a megabyte."""
    made: list[Landing] = []

    async def landed(content: bytes) -> Landing:
        made.append(Landing(tmp_path / f"output-{len(made)}", MEGABYTE))
        landing = made[-1]
        for start in range(0, len(content), MEGABYTE):
            await landing.write(content[start : start + MEGABYTE])
        return landing

    yield landed
    for landing in made:
        await landing.discard()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A key of the test's own."""
    return f"jobs/{hashlib.sha256(request.node.name.encode()).hexdigest()[:3]}/{request.node.name[:60]}/1/0.png"


async def content_of(client: "S3Client", key: str) -> bytes:
    answer = await client.get_object(Bucket="media", Key=key)
    content: bytes = await answer["Body"].read()
    return content


@pytest.mark.parametrize("content", [SMALL, LARGE, LARGE[: 3 * MEGABYTE]], ids=["in memory", "in parts", "in a file"])
async def test_what_was_put_is_there_with_its_type_and_sum(
    objects: Objects, client: "S3Client", land: Land, key: str, content: bytes
) -> None:
    await objects.put(key, await land(content), "image/png", first=True)

    assert await content_of(client, key) == content
    described = await client.head_object(Bucket="media", Key=key)
    assert described["ContentType"] == "image/png"
    assert described["Metadata"] == {"sha256": hashlib.sha256(content).hexdigest()}


@pytest.mark.parametrize("first", [True, False], ids=["a first try again", "a repeat"])
@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_putting_the_same_again_changes_nothing(
    objects: Objects, client: "S3Client", land: Land, key: str, content: bytes, first: bool
) -> None:
    await objects.put(key, await land(content), "image/png", first=True)

    await objects.put(key, await land(content), "image/png", first=first)

    assert await content_of(client, key) == content


@pytest.mark.parametrize("other", [OTHER, SMALL + b"x"], ids=["as many", "more"])
async def test_other_bytes_under_a_key_are_kept_and_reported(
    objects: Objects, client: "S3Client", land: Land, key: str, other: bytes
) -> None:
    await objects.put(key, await land(SMALL), "image/png", first=True)

    with pytest.raises(StoreError) as refused:
        await objects.put(key, await land(other), "image/png", first=False)

    assert (refused.value.outcome.code, refused.value.outcome.passing) == ("key_conflict", False)
    assert await content_of(client, key) == SMALL


async def test_a_large_file_does_not_overwrite_either(
    objects: Objects, client: "S3Client", land: Land, key: str
) -> None:
    await objects.put(key, await land(SMALL), "image/png", first=True)

    with pytest.raises(StoreError, match="other bytes"):
        await objects.put(key, await land(LARGE), "image/png", first=False)

    assert await content_of(client, key) == SMALL
    assert "Uploads" not in await client.list_multipart_uploads(Bucket="media")


async def test_what_somebody_put_without_a_sum_is_read_to_compare(
    objects: Objects, client: "S3Client", land: Land, key: str
) -> None:
    await client.put_object(Bucket="media", Key=key, Body=SMALL)

    await objects.put(key, await land(SMALL), "image/png", first=False)
    with pytest.raises(StoreError, match="other bytes"):
        await objects.put(key, await land(OTHER), "image/png", first=False)


async def test_what_has_another_size_is_not_read_to_compare(
    store: Store, strange: StrangeStore, client: "S3Client", land: Land, key: str
) -> None:
    await client.put_object(Bucket="media", Key=key, Body=SMALL + b"x")
    settings = settings_of(store, S3_ENDPOINT_URL=strange.url)

    async with bucket_client(settings) as through:
        with pytest.raises(StoreError, match="other bytes"):
            await Objects(through, settings).put(key, await land(SMALL), "image/png", first=False)

    assert [asked.method for asked in strange.asked] == ["HEAD"]


async def test_many_outputs_of_one_job_are_stored_at_once(objects: Objects, client: "S3Client", land: Land) -> None:
    keys = [f"jobs/abc/{job}/1/{index}.png" for job in range(20) for index in range(4)]

    await asyncio.gather(*[objects.put(key, await land(key.encode()), "image/png", first=True) for key in keys])

    assert [await content_of(client, key) for key in keys[:5]] == [key.encode() for key in keys[:5]]
    assert [listed.key async for listed in objects.listed("jobs/abc/")] == sorted(keys)


async def test_a_repeat_on_a_store_that_refuses_to_overwrite_costs_no_look_beforehand(
    store: Store, strange: StrangeStore, land: Land, key: str, request: pytest.FixtureRequest
) -> None:
    settings = settings_of(store, S3_ENDPOINT_URL=strange.url)
    async with bucket_client(settings) as client:
        objects = Objects(client, settings)
        await objects.put(key, await land(SMALL), "image/png", first=True)
        found_out = strange.count("PUT")
        await objects.put(f"{key}.png", await land(SMALL), "image/png", first=False)

    assert found_out == 2
    strict = "strict" in request.node.name
    assert (strange.count("HEAD"), strange.count("PUT")) == ((0, 3) if strict else (1, 3))
    assert ("if-none-match" in strange.asked[-1].headers) is strict


@pytest.mark.parametrize("settings", [{"S3_CHECKSUMS": "when_supported"}, {"S3_VERIFY": "head"}], ids=str)
@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_other_settings_work_as_well(
    store: Store, land: Land, key: str, content: bytes, settings: dict[str, str]
) -> None:
    told = settings_of(store, **settings)
    async with bucket_client(told) as client:
        await Objects(client, told).put(key, await land(content), "image/png", first=True)

        assert await content_of(client, key) == content


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_how_to_encrypt_and_keep_is_said_with_every_object(
    store: Store, strange: StrangeStore, land: Land, key: str, content: bytes
) -> None:
    """These stores may not do it; that it is asked of them is ours."""
    settings = settings_of(
        store, S3_ENDPOINT_URL=strange.url, S3_SERVER_SIDE_ENCRYPTION="aws:kms", S3_KMS_KEY_ID="key-1",
        S3_STORAGE_CLASS="STANDARD",
    )  # fmt: skip
    async with bucket_client(settings) as client:
        with suppress(StoreError):
            await Objects(client, settings).put(key, await land(content), "image/png", first=True)

    asked = next(asked for asked in strange.asked if asked.method in ("PUT", "POST"))
    assert asked.headers["x-amz-server-side-encryption"] == "aws:kms"
    assert asked.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"
    assert asked.headers["x-amz-storage-class"] == "STANDARD"


async def test_a_staged_source_lands_as_it_was_staged(
    objects: Objects, client: "S3Client", land: Land, key: str
) -> None:
    await client.put_object(Bucket="media", Key=key, Body=SMALL)
    landing = await land(b"")

    await objects.get_staged(key, hashlib.sha256(SMALL).hexdigest(), landing)

    assert landing.content == SMALL


async def test_a_large_staged_source_lands_in_a_file(
    objects: Objects, client: "S3Client", land: Land, key: str
) -> None:
    await objects.put(key, await land(LARGE), "video/mp4", first=True)
    landing = await land(b"")

    await objects.get_staged(key, hashlib.sha256(LARGE).hexdigest(), landing)

    assert landing.content is None
    with landing.open() as file:
        assert file.read() == LARGE


async def test_a_staged_source_that_is_not_there_has_expired(objects: Objects, land: Land) -> None:
    with pytest.raises(FetchError) as gone:
        await objects.get_staged("staged/nothing", "0" * 64, await land(b""))

    assert (gone.value.outcome.code, gone.value.outcome.passing) == ("source_expired", False)


async def test_a_staged_source_that_is_another_is_refused(
    objects: Objects, client: "S3Client", land: Land, key: str
) -> None:
    await client.put_object(Bucket="media", Key=key, Body=OTHER)

    with pytest.raises(FetchError, match="not what was staged"):
        await objects.get_staged(key, hashlib.sha256(SMALL).hexdigest(), await land(b""))


async def test_a_staged_source_that_is_too_large_is_refused_for_good(
    store: Store, client: "S3Client", land: Land, key: str
) -> None:
    await client.put_object(Bucket="media", Key=key, Body=SMALL)
    objects = Objects(client, settings_of(store, max_bytes=59_999))

    with pytest.raises(FetchError) as refused:
        await objects.get_staged(key, hashlib.sha256(SMALL).hexdigest(), await land(b""))

    assert (refused.value.outcome.code, refused.value.outcome.passing) == ("output_too_large", False)


async def test_deleting_removes_and_what_is_not_there_is_fine(
    objects: Objects, client: "S3Client", land: Land, key: str
) -> None:
    keys = [f"{key}.{number}.png" for number in range(20)]
    for name in keys[:10]:
        await objects.put(name, await land(b"pixels"), "image/png", first=True)

    await objects.delete(keys)
    await objects.delete(keys)

    assert [listed async for listed in objects.listed(key)] == []
    with pytest.raises(ClientError):
        await client.head_object(Bucket="media", Key=keys[0])


async def test_a_listing_says_what_there_is_page_by_page(objects: Objects, client: "S3Client") -> None:
    # rclone refuses some of the first objects that come at once into a new folder: one goes ahead and makes it.
    await client.put_object(Bucket="media", Key="listed/0000", Body=b"")
    for first in range(1, 1_001, 50):  # not all at once: a slow machine then refuses connections
        await asyncio.gather(*[
            client.put_object(Bucket="media", Key=f"listed/{number:04}", Body=b"x" * number)
            for number in range(first, first + 50)
        ])  # fmt: skip

    listed = [found async for found in objects.listed("listed/")]

    assert [(found.key, found.size) for found in listed] == [(f"listed/{number:04}", number) for number in range(1_001)]
    assert all(abs(found.modified_at - utc_now()) < timedelta(minutes=5) for found in listed)
    assert [found async for found in objects.listed("nothing/")] == []


async def test_an_upload_that_is_cancelled_leaves_no_parts_behind(
    store: Store, strange: StrangeStore, client: "S3Client", land: Land, key: str
) -> None:
    settings = settings_of(store, S3_ENDPOINT_URL=strange.url)
    async with bucket_client(settings) as through:
        strange.goes_wrong(None, Silent(), on="PUT")
        putting = asyncio.create_task(Objects(through, settings).put(key, await land(LARGE), "video/mp4", first=True))
        async with asyncio.timeout(20):
            await strange.seen("PUT", 2)
            putting.cancel()
            await asyncio.wait([putting])

    assert putting.cancelled()
    assert "Uploads" not in await client.list_multipart_uploads(Bucket="media")
    with pytest.raises(ClientError):
        await client.head_object(Bucket="media", Key=key)
