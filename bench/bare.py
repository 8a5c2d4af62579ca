"""The limit: what the same store takes from aiobotocore when nobody does anything else."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

IN_FLIGHT = 64
"""PUTs at a time: as many as an uploader works on."""
_AGAIN_AFTER = 0.02  # seconds
_DEADLINE = 2.0  # seconds: rclone never answers some PUTs, and aiobotocore's own time-outs do not notice
_TRIES = 5


@asynccontextmanager
async def client(environ: Mapping[str, str]) -> AsyncIterator["S3Client"]:
    """A client that asks no more of aiobotocore than a PUT needs.

    Made here and not by `stage.bucket`: a limit that moved with our own client would be none.
    """
    config = AioConfig(
        signature_version="s3v4", s3={"addressing_style": "path"}, max_pool_connections=IN_FLIGHT,
        request_checksum_calculation="when_required", retries={"total_max_attempts": 1},
    )  # fmt: skip
    async with get_session().create_client(
        "s3", endpoint_url=environ["S3_ENDPOINT_URL"], region_name=environ["S3_REGION"], config=config,
        aws_access_key_id=environ["S3_ACCESS_KEY_ID"], aws_secret_access_key=environ["S3_SECRET_ACCESS_KEY"],
    ) as opened:  # fmt: skip
        yield opened


async def put_all(opened: "S3Client", bucket: str, objects: Iterable[tuple[str, bytes]], content_type: str) -> int:
    """PUT each object to its key, `IN_FLIGHT` at a time. Returns how many PUTs had to be made again."""
    waiting = iter(objects)
    async with asyncio.TaskGroup() as group:
        lanes = [group.create_task(_put_some(opened, bucket, waiting, content_type)) for _ in range(IN_FLIGHT)]
    return sum(lane.result() for lane in lanes)


async def _put_some(opened: "S3Client", bucket: str, waiting: Iterator[tuple[str, bytes]], content_type: str) -> int:
    again = 0
    for key, content in waiting:
        for last in (*(False,) * (_TRIES - 1), True):
            try:
                async with asyncio.timeout(_DEADLINE):
                    await opened.put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type)
                break
            except (ClientError, TimeoutError):
                if last:
                    raise
                # rclone refuses some of several first PUTs into one new folder. Botocore's own retries wait up to a
                # second, which would make the limit easier to reach.
                again += 1
                await asyncio.sleep(_AGAIN_AFTER)
    return again
