"""Where outputs wait that a provider gave us as bytes: in the bucket, until the uploader takes them from there."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from schemas.events import StagedSource
from stage.settings import load

Stage = Callable[[UUID, int, bytes], Awaitable[StagedSource]]
"""Puts the bytes of one output of a generation into the bucket. The same place every time, so a repeat is harmless."""

SECONDS = 30.0  # one PUT; a failed one is done again when the provider is asked again


@asynccontextmanager
async def staging() -> AsyncIterator[Stage]:
    """Puts bytes under `staged/…`, at the same place for the same output. Settings that are missing end the process."""
    from stage.bucket import (  # a generator with the fake alone needs no S3 client
        BucketSettings,
        bucket_client,
        write_options,
    )

    settings = load(BucketSettings, "generator")
    kept = write_options(settings)
    async with bucket_client(settings, connections=16) as client:

        async def stage(generation_id: UUID, index: int, content: bytes) -> StagedSource:
            key = f"staged/{str(generation_id)[:3]}/{generation_id}/{index}"
            async with asyncio.timeout(SECONDS):
                await client.put_object(Bucket=settings.s3_bucket_name, Key=key, Body=content, **kept)
            return StagedSource(key=key, sha256=hashlib.sha256(content).hexdigest(), size=len(content))

        yield stage
