"""What lies in the bucket and is nobody's, by real tables and a real store."""

import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from darkroom.local.stack import Stack
from schemas.clock import utc_now
from schemas.identity import storage_key_of
from stage.bucket import BucketSettings, bucket_client
from stage.database import Pool, new_pool
from tests.pipeline.operator import Answer, darkroom
from uploader_service.orphans import Orphans, Why
from uploader_service.tables import SCHEMA

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

STAGED = "staged/abc/0d0f4aa2-6f6c-8f0e-9d6b-1f3c5a7e9b2d/0"


class Place:
    """A bucket and the tables that speak of it."""

    def __init__(self, stack: Stack, pool: Pool, client: "S3Client", bucket: str) -> None:
        self.stack, self.pool, self._client, self._bucket = stack, pool, client, bucket
        self.orphans = Orphans(pool, client, bucket)

    async def put(self, key: str, *, days_old: int = 0) -> str:
        """An object of five bytes. Rclone takes its age from the metadata."""
        changed = {"mtime": str(time.time() - 86_400 * days_old)}
        await self._client.put_object(Bucket=self._bucket, Key=key, Body=b"bytes", Metadata=changed)
        return key

    async def begin_in_parts(self, key: str) -> None:
        """An upload in parts, with one part, that nobody ends."""
        begun = await self._client.create_multipart_upload(Bucket=self._bucket, Key=key)
        await self._client.upload_part(
            Bucket=self._bucket, Key=key, UploadId=begun["UploadId"], PartNumber=1, Body=b"part"
        )

    async def row(self, job_id: UUID, state: str, key: str | None = None, source: str | None = None) -> None:
        """What the tables say of the first output of a job."""
        await self.pool.execute(
            """
            INSERT INTO uploads (job_id, revision, index, tenant, source, state, attempt, fence, due_at, media)
            VALUES ($1, 1, 0, 'dev', $2, $3::upload_state, 1, 1, $4, $5)
            """,
            job_id,
            {"kind": "staged", "key": source},
            state,
            None if state in ("STORED", "FAILED") else utc_now(),
            {"key": key} if key else None,
        )

    async def keys(self) -> set[str]:
        """What lies in the bucket."""
        listed = await self._client.list_objects_v2(Bucket=self._bucket)
        return {each["Key"] for each in listed.get("Contents", ())}

    async def whys(self, before: datetime | None = None) -> dict[str, Why]:
        """Why each orphan is one."""
        found = await self.orphans.find(before or utc_now() + timedelta(minutes=1))
        return {orphan.key: orphan.why for orphan in found.orphans}

    async def command(self, *words: str) -> Answer:
        """`darkroom bucket orphans` as an operator runs it."""
        told = {name: value for name, value in self.stack.environ.items() if name.startswith(("S3_", "UPLOADER_DATA"))}
        return await darkroom(self.stack, "bucket", "orphans", *words, **told)


@pytest.fixture
async def place(servers: Stack) -> AsyncIterator[Place]:
    """Empty tables and an empty bucket."""
    settings = BucketSettings.model_validate(servers.environ)
    pool = await new_pool(servers.environ["UPLOADER_DATABASE_URL"], schema=SCHEMA, name="test", size=2)
    async with pool, bucket_client(settings) as client:
        await pool.execute("TRUNCATE uploads, removals")
        here = Place(servers, pool, client, settings.s3_bucket_name)
        for key in await here.keys():
            await client.delete_object(Bucket=settings.s3_bucket_name, Key=key)
        yield here


async def test_an_object_that_its_output_points_to_is_none_and_any_other_is(place: Place) -> None:
    stored, failed, moved, working, unheard = (uuid4() for _ in range(5))
    keys = {job: await place.put(storage_key_of(job, 1, 0, "jpg")) for job in (stored, failed, moved, working, unheard)}
    await place.row(stored, "STORED", keys[stored])
    await place.row(failed, "FAILED")
    await place.row(moved, "STORED", storage_key_of(moved, 1, 0, "png"))
    await place.row(working, "PENDING")

    assert await place.whys() == {
        keys[failed]: Why.FAILED, keys[moved]: Why.ANOTHER_KEY, keys[unheard]: Why.UNKNOWN,
    }  # fmt: skip


async def test_a_staged_source_is_one_once_no_upload_waits_for_it(place: Place) -> None:
    job = uuid4()
    await place.put(STAGED)
    await place.row(job, "PENDING", source=STAGED)
    before = await place.whys()

    await place.pool.execute("UPDATE uploads SET state = 'FAILED', due_at = NULL")
    for_a_retry = await place.whys()
    await place.pool.execute("UPDATE uploads SET state = 'STORED'")

    assert (before, for_a_retry, await place.whys()) == ({}, {}, {STAGED: Why.STAGED})


async def test_a_staged_source_that_the_uploader_has_not_heard_of_is_counted_and_left_alone(place: Place) -> None:
    """Nothing else holds what was paid for, while an uploader that was stopped for a day has not read so far."""
    await place.put(STAGED)

    found = await place.orphans.find(utc_now() + timedelta(minutes=1))

    assert (found.unheard, found.orphans, found.another_place) == (1, [], False)


async def test_what_was_put_after_its_job_was_removed_is_one(place: Place) -> None:
    job = uuid4()
    key = await place.put(storage_key_of(job, 1, 0, "jpg"))
    await place.row(job, "STORED")
    await place.pool.execute("INSERT INTO removals (job_id, revision) VALUES ($1, 1)", job)

    assert await place.whys() == {key: Why.REMOVED}


async def test_uploads_in_parts_that_a_kill_left_behind_are_found_and_given_up(place: Place) -> None:
    key = storage_key_of(uuid4(), 1, 0, "mp4")
    await place.begin_in_parts(key)
    await place.begin_in_parts("jobs/of-somebody.mp4")
    young = await place.orphans.find(utc_now() - timedelta(hours=1))

    found = await place.orphans.find(utc_now() + timedelta(minutes=1))
    await place.orphans.give_up(found.unfinished * 2)

    assert (young.unfinished, [each.key for each in found.unfinished]) == ([], [key])
    assert (await place.orphans.find(utc_now() + timedelta(minutes=1))).unfinished == []


async def test_what_is_young_or_not_ours_is_counted_and_left_alone(place: Place) -> None:
    await place.put(storage_key_of(uuid4(), 1, 0, "jpg"))
    await place.put("jobs/readme.txt")
    await place.put("elsewhere/of-somebody.jpg")

    found = await place.orphans.find(utc_now() - timedelta(hours=1))

    assert (found.listed, found.foreign, found.young, found.orphans) == (2, 1, 1, [])


async def test_one_that_was_stored_meanwhile_is_not_removed(place: Place) -> None:
    job, lost = uuid4(), await place.put(storage_key_of(uuid4(), 1, 0, "jpg"))
    key = await place.put(storage_key_of(job, 1, 0, "jpg"))
    found = await place.orphans.find(utc_now() + timedelta(minutes=1))
    await place.row(job, "STORED", key)

    removed = await place.orphans.remove(found.orphans)

    assert (len(found.orphans), removed, await place.keys()) == (2, 1, {key})
    assert lost not in await place.keys()


async def test_the_command_changes_nothing_by_itself_and_judges_nothing_young(place: Place) -> None:
    key = await place.put(storage_key_of(uuid4(), 1, 0, "jpg"))

    answer = await place.command("--json")
    hasty = await place.command("--older-than", "5m")

    assert (answer.code, answer.json["listed"], answer.json["young"], answer.json["orphans"]) == (0, 1, 1, [])
    assert (hasty.code, "an hour at least" in hasty.err) == (2, True)
    assert await place.keys() == {key}


async def test_the_command_removes_old_orphans_when_it_is_told_to(place: Place) -> None:
    stored, lost = uuid4(), await place.put(storage_key_of(uuid4(), 1, 0, "jpg"), days_old=2)
    key = await place.put(storage_key_of(stored, 1, 0, "jpg"), days_old=2)
    await place.row(stored, "STORED", key)

    answer = await place.command("--remove")

    assert (answer.code, await place.keys()) == (0, {key})
    assert "1 orphans" in answer.out
    assert "1 removed" in answer.out
    assert lost in answer.out


async def test_the_command_removes_nothing_where_nothing_is_known(place: Place) -> None:
    key = await place.put(storage_key_of(uuid4(), 1, 0, "jpg"), days_old=2)

    answer = await place.command("--remove")

    assert (answer.code, "another database" in answer.err, await place.keys()) == (1, True, {key})


async def test_tables_that_know_nothing_of_a_bucket_are_taken_for_another_place(place: Place) -> None:
    await place.put(storage_key_of(uuid4(), 1, 0, "jpg"))

    found = await place.orphans.find(utc_now() + timedelta(minutes=1))

    assert found.another_place
