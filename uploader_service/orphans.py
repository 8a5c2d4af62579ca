"""Objects in the bucket that are no output of ours: what a crash, a lost race or a removed job left behind."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from botocore.exceptions import ClientError

from stage.database import Pool
from uploader_service.removals import REMOVED

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PREFIXES = ("jobs/", "staged/")
OUTPUT = re.compile(r"jobs/[0-9a-f]{3}/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(\d{1,7})/(\d)\.[a-z0-9]+")
STAGED = re.compile(r"staged/[0-9a-f]{3}/[0-9a-f-]{36}/\d")
AT_ONCE = 1_000
UNLISTED = {"NotImplemented", "MethodNotAllowed", "NoSuchUpload"}
"""What stores answer that do not list uploads in parts; the last is rclone's word for having none."""


class Why(StrEnum):
    """Why an object is nobody's."""

    UNKNOWN = "unknown"
    """No output of that job, revision and index was ever heard of."""
    FAILED = "failed"
    """Its output failed in the end: nothing points to it."""
    ANOTHER_KEY = "another_key"
    """Its output lies under another key."""
    REMOVED = "removed"
    """Its job's data was removed: it was put there after the last look."""
    STAGED = "staged"
    """A source that no upload waits for any more."""


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a listing."""

    key: str
    size: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object that nothing points to."""

    key: str
    size: int
    modified_at: datetime
    why: Why


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An upload in parts that was begun and is neither done nor given up: its parts are kept, and cost money."""

    key: str
    upload_id: str
    begun_at: datetime


@dataclass(slots=True)
class Found:
    """What the bucket holds beside what is known."""

    listed: int
    foreign: int
    """Objects under our prefixes whose names are none of ours. Never touched."""
    young: int
    """Objects that changed too lately to be judged."""
    unheard: int
    """Staged sources of which the uploader has not heard yet, paid for and nowhere else. Age alone ends them."""
    orphans: list[Orphan]
    unfinished: list[Unfinished]

    @property
    def another_place(self) -> bool:
        """Nothing that is listed is known: these tables and this bucket do not belong together."""
        judged = self.listed - self.foreign - self.young - self.unheard
        return judged > 0 and all(orphan.why is Why.UNKNOWN for orphan in self.orphans) and len(self.orphans) == judged


class Orphans:
    """Finds them by the uploader's tables, and removes them."""

    def __init__(self, pool: Pool, client: "S3Client", bucket: str) -> None:
        self._pool, self._client, self._bucket = pool, client, bucket

    async def find(self, before: datetime) -> Found:
        """Look at every object of ours that changed last before then. Changes nothing."""
        found, batch = Found(0, 0, 0, 0, [], await self._unfinished(before)), list[Object]()
        async for each in self._listed():
            found.listed += 1
            if not (OUTPUT.fullmatch(each.key) or STAGED.fullmatch(each.key)):
                found.foreign += 1
            elif each.modified_at >= before:
                found.young += 1
            else:
                batch.append(each)
            if len(batch) == AT_ONCE:
                await self._judge(batch, found)
                batch = []
        await self._judge(batch, found)
        return found

    async def give_up(self, unfinished: Sequence[Unfinished]) -> None:
        """Have the store forget their parts. One that is done by now is left as it is."""
        for each in unfinished:
            try:
                await self._client.abort_multipart_upload(Bucket=self._bucket, Key=each.key, UploadId=each.upload_id)
            except ClientError as fault:
                if fault.response["Error"].get("Code") != "NoSuchUpload":
                    raise

    async def remove(self, orphans: Sequence[Orphan]) -> int:
        """Delete those of them that are orphans still. Returns how many."""
        removed = 0
        for start in range(0, len(orphans), AT_ONCE):
            some = [Object(each.key, each.size, each.modified_at) for each in orphans[start : start + AT_ONCE]]
            for orphan in (await self._among(some))[0]:
                await self._client.delete_object(Bucket=self._bucket, Key=orphan.key)
                removed += 1
        return removed

    async def _listed(self) -> AsyncIterator[Object]:
        for prefix in PREFIXES:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            async for page in pages:
                for each in page.get("Contents", ()):
                    yield Object(each["Key"], each["Size"], each["LastModified"])

    async def _unfinished(self, before: datetime) -> list[Unfinished]:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix="jobs/")
        try:
            return [
                Unfinished(each["Key"], each["UploadId"], each["Initiated"])
                async for page in pages
                for each in page.get("Uploads", ())
                if OUTPUT.fullmatch(each["Key"]) and each["Initiated"] < before
            ]
        except ClientError as fault:
            if fault.response["Error"].get("Code") in UNLISTED:
                return []
            raise

    async def _judge(self, objects: Sequence[Object], found: Found) -> None:
        orphans, unheard = await self._among(objects)
        found.orphans += orphans
        found.unheard += unheard

    async def _among(self, objects: Sequence[Object]) -> tuple[list[Orphan], int]:
        """The orphans among them, and how many the uploader has not heard of yet."""
        outputs = await self._why({e.key: m for e in objects if (m := OUTPUT.fullmatch(e.key))})
        staged = [e.key for e in objects if STAGED.fullmatch(e.key)]
        needed = await self._needed(staged)
        whys = outputs | {key: None if needed.get(key, True) else Why.STAGED for key in staged}
        orphans = [Orphan(e.key, e.size, e.modified_at, why) for e in objects if (why := whys[e.key]) is not None]
        return orphans, len(staged) - len(needed)

    async def _why(self, keys: dict[str, re.Match[str]]) -> dict[str, Why | None]:
        rows = await self._pool.fetch(
            f"""
            SELECT there.key, CASE
                WHEN row.id IS NULL THEN 'unknown'
                WHEN row.due_at IS NOT NULL THEN NULL
                WHEN {REMOVED} THEN 'removed'
                WHEN row.state = 'FAILED' THEN 'failed'
                WHEN row.media->>'key' <> there.key THEN 'another_key'
            END AS why
            FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[]) AS there (key, job_id, revision, index)
            LEFT JOIN uploads AS row USING (job_id, revision, index)
            """,  # noqa: S608 - no value of anybody is in it
            list(keys),
            [UUID(match[1]) for match in keys.values()],
            [int(match[2]) for match in keys.values()],
            [int(match[3]) for match in keys.values()],
        )
        return {row["key"]: Why(row["why"]) if row["why"] else None for row in rows}

    async def _needed(self, keys: Sequence[str]) -> dict[str, bool]:
        """Whether an upload still needs them; nothing of those that none has named."""
        rows = await self._pool.fetch(
            """
            SELECT source->>'key' AS key, bool_or(due_at IS NOT NULL OR state = 'FAILED') AS needed
            FROM uploads WHERE source->>'key' = ANY($1) GROUP BY 1
            """,  # a retry that only stores may still need what could not be stored
            keys,
        )
        return {row["key"]: row["needed"] for row in rows}
