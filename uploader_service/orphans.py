"""Objects in the bucket that are no output of ours: what a crash, a lost race or a removed job left behind."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from stage.database import Pool

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PREFIXES = ("jobs/", "staged/")
OUTPUT = re.compile(r"jobs/[0-9a-f]{3}/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(\d{1,7})/(\d)\.[a-z0-9]+")
STAGED = re.compile(r"staged/[0-9a-f]{3}/[0-9a-f-]{36}/\d")
AT_ONCE = 1_000


class Why(StrEnum):
    """Why an object is nobody's."""

    UNKNOWN = "unknown"
    """No output of that job, revision and index was ever heard of."""
    FAILED = "failed"
    """Its output failed in the end: nothing points to it."""
    ANOTHER_KEY = "another_key"
    """Its output lies under another key."""
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


@dataclass(slots=True)
class Found:
    """What the bucket holds beside what is known."""

    listed: int
    foreign: int
    """Objects under our prefixes whose names are none of ours. Never touched."""
    young: int
    """Objects that changed too lately to be judged."""
    orphans: list[Orphan]

    @property
    def another_place(self) -> bool:
        """Nothing that is listed is known: these tables and this bucket do not belong together."""
        judged = self.listed - self.foreign - self.young
        return judged > 0 and all(orphan.why is Why.UNKNOWN for orphan in self.orphans) and len(self.orphans) == judged


class Orphans:
    """Finds them by the uploader's tables, and removes them."""

    def __init__(self, pool: Pool, client: "S3Client", bucket: str) -> None:
        self._pool, self._client, self._bucket = pool, client, bucket

    async def find(self, before: datetime) -> Found:
        """Look at every object of ours that changed last before then. Changes nothing."""
        found, batch = Found(0, 0, 0, []), list[Object]()
        async for each in self._listed():
            found.listed += 1
            if not (OUTPUT.fullmatch(each.key) or STAGED.fullmatch(each.key)):
                found.foreign += 1
            elif each.modified_at >= before:
                found.young += 1
            else:
                batch.append(each)
            if len(batch) == AT_ONCE:
                found.orphans += await self._among(batch)
                batch = []
        found.orphans += await self._among(batch)
        return found

    async def remove(self, orphans: Sequence[Orphan]) -> int:
        """Delete those of them that are orphans still. Returns how many."""
        removed = 0
        for start in range(0, len(orphans), AT_ONCE):
            some = [Object(each.key, each.size, each.modified_at) for each in orphans[start : start + AT_ONCE]]
            for orphan in await self._among(some):
                await self._client.delete_object(Bucket=self._bucket, Key=orphan.key)
                removed += 1
        return removed

    async def _listed(self) -> AsyncIterator[Object]:
        for prefix in PREFIXES:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            async for page in pages:
                for each in page.get("Contents", ()):
                    yield Object(each["Key"], each["Size"], each["LastModified"])

    async def _among(self, objects: Sequence[Object]) -> list[Orphan]:
        outputs = await self._why({e.key: m for e in objects if (m := OUTPUT.fullmatch(e.key))})
        waited_for = await self._waited_for([e.key for e in objects if STAGED.fullmatch(e.key)])
        return [
            Orphan(each.key, each.size, each.modified_at, why)
            for each in objects
            if (why := outputs.get(each.key, Why.STAGED if each.key not in waited_for else None)) is not None
        ]

    async def _why(self, keys: dict[str, re.Match[str]]) -> dict[str, Why | None]:
        rows = await self._pool.fetch(
            """
            SELECT there.key, CASE
                WHEN row.id IS NULL THEN 'unknown'
                WHEN row.due_at IS NOT NULL THEN NULL
                WHEN row.state = 'FAILED' THEN 'failed'
                WHEN row.media->>'key' <> there.key THEN 'another_key'
            END AS why
            FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[]) AS there (key, job_id, revision, index)
            LEFT JOIN uploads AS row USING (job_id, revision, index)
            """,
            list(keys),
            [UUID(match[1]) for match in keys.values()],
            [int(match[2]) for match in keys.values()],
            [int(match[3]) for match in keys.values()],
        )
        return {row["key"]: Why(row["why"]) if row["why"] else None for row in rows}

    async def _waited_for(self, keys: Sequence[str]) -> frozenset[str]:
        rows = await self._pool.fetch(
            """
            SELECT source->>'key' AS key FROM uploads
            WHERE (due_at IS NOT NULL OR state = 'FAILED') AND source->>'key' = ANY($1)
            """,  # a retry that only stores may still need what could not be stored
            keys,
        )
        return frozenset(row["key"] for row in rows)
