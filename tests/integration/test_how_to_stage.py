"""The stage of the how-to page runs as the page says, on real servers, and keeps what the page promises."""

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from PIL import Image
from sqlalchemy.engine import make_url

from darkroom.local.ports import HOST, claim
from darkroom.local.services import healthy
from darkroom.local.stack import Stack
from schemas.clock import utc_now
from schemas.events import MediaStored
from schemas.wire import encode
from stage.bucket import BucketSettings, bucket_client
from stage.kafka import publish
from tests.pipeline.driver import until
from tests.repository.tree import TOOLS
from tests.working_copy import WorkingCopy

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

SHA256 = "0" * 64


@pytest.fixture(scope="module")
def copy(servers: Stack, tmp_path_factory: pytest.TempPathFactory) -> WorkingCopy:
    """The repository after both pages' steps, told where the servers are."""
    uploader = make_url(servers.environ["UPLOADER_DATABASE_URL"])
    told = {
        **servers.environ,
        "THUMBNAILER_DATABASE_URL": uploader.set(username="thumbnailer").render_as_string(hide_password=False),
        "THUMBNAILER_MAX_ATTEMPTS": "3",
        "THUMBNAILER_LEASE": "PT4S",
        "SERVICE_INSTANCE": "thumbnailer-1",  # known to Kafka by name, so a killed one is not waited for
        "INITIAL_RETRY_DELAY": "0.1",
    }
    copy = WorkingCopy(WorkingCopy.at(tmp_path_factory.mktemp("stage")).root, told)
    copy.apply("add-a-fact.md")
    copy.apply("add-a-stage.md")
    for step in (("database", "prepare"), ("database", "migrate"), ("topics", "apply")):
        copy.succeeds("-m", "darkroom", *step)
    return copy


@asynccontextmanager
async def thumbnailer(copy: WorkingCopy) -> AsyncIterator[asyncio.subprocess.Process]:
    """The page's service, ready; ended by SIGTERM unless the test has killed it."""
    port = claim("thumbnailer")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "thumbnailer_service", cwd=copy.root, stdout=asyncio.subprocess.DEVNULL,
        env={**copy.env(), "THUMBNAILER_PORT": str(port), "THUMBNAILER_HOST": HOST},
    )  # fmt: skip

    async def ready() -> bool:
        assert process.returncode is None, f"the thumbnailer ended with {process.returncode}"
        return await healthy(port)

    try:
        await until(ready, 60, "the thumbnailer to be ready")
        yield process
        if process.returncode is None:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def bucket(servers: Stack) -> AsyncIterator["S3Client"]:
    async with bucket_client(BucketSettings.model_validate(servers.environ)) as bucket:
        yield bucket


class World:
    """What lies around the stage: facts to say, facts to hear, pictures, its rows."""

    def __init__(self, servers: Stack, bucket: "S3Client") -> None:
        self._environ, self._bucket = servers.environ, bucket
        self._bucket_name = servers.environ["S3_BUCKET_NAME"]

    async def put(self, key: str, content: bytes) -> None:
        await self._bucket.put_object(Bucket=self._bucket_name, Key=key, Body=content)

    async def get(self, key: str) -> bytes:
        answer = await self._bucket.get_object(Bucket=self._bucket_name, Key=key)
        content: bytes = await answer["Body"].read()
        return content

    async def say(self, *facts: MediaStored) -> None:
        servers = self._environ["KAFKA_BOOTSTRAP_SERVERS"]
        async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
            await publish(producer, [encode(fact, source="uploader") for fact in facts])

    async def heard(self) -> list[dict[str, Any]]:
        """Every `thumbnail.stored` that was ever said."""
        places = [TopicPartition("thumbnail.stored", number) for number in range(12)]
        found: list[dict[str, Any]] = []
        async with AIOKafkaConsumer(bootstrap_servers=self._environ["KAFKA_BOOTSTRAP_SERVERS"]) as consumer:
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning(*places)
            while any([await consumer.position(place) < ends[place] for place in places]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += [json.loads(record.value) for record in batch]
        return found

    async def thumbnails_of(self, job_ids: Sequence[UUID]) -> list[dict[str, Any]]:
        """What was said of these jobs, once it is about all of them."""
        wanted = set(map(str, job_ids))
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            found[:] = [fact for fact in await self.heard() if fact["job_id"] in wanted]
            return {fact["job_id"] for fact in found} == wanted

        await until(there, 60, "thumbnail.stored of every job")
        return found

    async def row(self, job_id: UUID) -> asyncpg.Record | None:
        url = make_url(self._environ["DARKROOM_ADMIN_DATABASE_URL"]).set(database="darkroom")
        admin = await asyncpg.connect(url.render_as_string(hide_password=False))
        try:
            return await admin.fetchrow("SELECT * FROM thumbnailer.thumbnails WHERE job_id = $1", job_id)
        finally:
            await admin.close()


@pytest.fixture
def world(servers: Stack, bucket: "S3Client") -> World:
    return World(servers, bucket)


def a_picture(width: int, height: int) -> bytes:
    Image.new("RGB", (width, height), "teal").save(written := io.BytesIO(), "JPEG")
    return written.getvalue()


def stored(job_id: UUID, **changes: Any) -> MediaStored:
    said = {
        "index": 0, "attempt": 1, "key": f"jobs/{job_id}/0.jpg", "sha256": SHA256, "size": 1,
        "content_type": "image/jpeg",
    } | changes  # fmt: skip
    return MediaStored.say(job_id, "dev", utc_now(), **said)


async def some_pictures(world: World, number: int) -> list[MediaStored]:
    facts = [stored(uuid4()) for _ in range(number)]
    for fact in facts:
        await world.put(fact.key, a_picture(800, 400))
    return facts


async def test_the_pages_stage_makes_small_pictures_and_says_so(copy: WorkingCopy, world: World) -> None:
    facts = await some_pictures(world, 3)
    await world.say(*facts)

    async with thumbnailer(copy):
        said = await world.thumbnails_of([fact.job_id for fact in facts])

    for fact in said:
        content = await world.get(fact["key"])
        with Image.open(io.BytesIO(content)) as small:
            assert (small.format, small.size) == ("WEBP", (256, 128))
        assert (fact["width"], fact["height"], fact["size"]) == (256, 128, len(content))


async def test_a_record_that_comes_twice_is_worked_on_once(copy: WorkingCopy, world: World) -> None:
    [fact] = await some_pictures(world, 1)
    await world.say(fact, fact)

    async with thumbnailer(copy):
        await world.thumbnails_of([fact.job_id])
        [later] = await some_pictures(world, 1)
        await world.say(fact, later)
        said = await world.thumbnails_of([fact.job_id, later.job_id])

    row = await world.row(fact.job_id)
    assert row is not None
    assert (row["attempt"], row["due_at"]) == (1, None)
    assert len({each["event_id"] for each in said}) == 2


async def test_a_stage_that_is_killed_in_the_middle_does_the_rest_after_its_start(
    copy: WorkingCopy, world: World
) -> None:
    facts = await some_pictures(world, 12)
    async with thumbnailer(copy) as process:
        await world.say(*facts)
        await until(_true_of(world, facts[0].job_id), 30, "the first row")
        process.kill()
        await process.wait()

    async with thumbnailer(copy):
        said = await world.thumbnails_of([fact.job_id for fact in facts])

    assert len({each["event_id"] for each in said}) == len(facts)


def _true_of(world: World, job_id: UUID) -> Callable[[], Coroutine[Any, Any, bool]]:
    async def there() -> bool:
        return await world.row(job_id) is not None

    return there


@pytest.mark.parametrize(
    ("content", "attempts", "why"),
    [
        (None, 3, "the store failed: NoSuchKey"),
        (b"no picture", 1, "the picture cannot be read: UnidentifiedImageError"),
    ],
)
async def test_what_cannot_be_made_small_is_given_up_and_the_rest_goes_on(
    copy: WorkingCopy, world: World, content: bytes | None, attempts: int, why: str
) -> None:
    broken = stored(uuid4())
    if content is not None:
        await world.put(broken.key, content)
    [good] = await some_pictures(world, 1)
    sound = stored(uuid4(), content_type="audio/wav")
    await world.say(broken, sound, good)

    async def given_up() -> bool:
        row = await world.row(broken.job_id)
        return row is not None and row["due_at"] is None

    async with thumbnailer(copy):
        await until(given_up, 30, "the broken picture to be given up")
        await world.thumbnails_of([good.job_id])

    row = await world.row(broken.job_id)
    assert row is not None
    assert (row["attempt"], row["last_error"]) == (attempts, why)
    assert await world.row(sound.job_id) is None
    assert broken.job_id not in {UUID(fact["job_id"]) for fact in await world.heard()}


def test_the_pages_schemas_are_written_with_who_hears_and_says(copy: WorkingCopy) -> None:
    copy.succeeds("-m", "darkroom", "schemas", "write")

    document = json.loads((copy.root / "schemas" / "asyncapi.json").read_text(encoding="utf-8"))
    assert {"thumbnailer.hears.media.stored", "thumbnailer.says.thumbnail.stored"} <= set(document["operations"])
    copy.succeeds("-m", "darkroom", "schemas", "check")


@pytest.mark.parametrize("command", [("check",), ("format", "--check")])
def test_the_pages_code_is_in_the_house_style(copy: WorkingCopy, command: tuple[str, ...]) -> None:
    first_party = ["--config", 'lint.isort.known-first-party=["schemas", "stage", "thumbnailer_service"]']

    copy.executes(str(TOOLS / "ruff"), *command, "--no-cache", *first_party, "thumbnailer_service", "darkroom/steps.py")
