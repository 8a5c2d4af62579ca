"""Uploads a large file in parts, none of them in memory, and leaves none behind when it fails."""

import asyncio
import base64
from contextlib import closing
from typing import TYPE_CHECKING, Any

from stage.bucket import BucketSettings, write_options
from stage.telemetry import get_logger
from uploader_service.file_parts import FilePart
from uploader_service.landing import Landing
from uploader_service.store_calls import StoreFault, once, seconds_for, with_quick_tries

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

log = get_logger(__name__)

MOST_PARTS = 10_000
"""What S3 takes of one object."""
ABORT_SECONDS = 10
SUM = "ChecksumCRC32"
"""What botocore adds to each part when it may. A store then wants it announced, and said again at the end."""


class Multipart:
    """Uploads in parts into one bucket."""

    def __init__(self, client: "S3Client", settings: BucketSettings, seconds: float) -> None:
        self._client, self._settings, self._seconds = client, settings, seconds

    async def put(self, key: str, landing: Landing, described: dict[str, Any], condition: dict[str, Any]) -> None:
        """Put all of it under `key`. A fault or a cancellation aborts it, and the store forgets the parts.

        The store sums up each part. `condition` counts when they are put together, and raises its `StoreFault` there.
        """
        place = await self._begin(key, described)
        try:
            parts = await self._parts(place, landing)
            await once(
                lambda: self._client.complete_multipart_upload(
                    **place, MultipartUpload={"Parts": parts}, **condition
                ),
                seconds_for(landing.size, self._seconds),
            )  # fmt: skip
        except BaseException:  # whatever ends it, a cancellation too: parts that are left cost money
            await self._abort(place)
            raise

    async def _begin(self, key: str, described: dict[str, Any]) -> dict[str, Any]:
        place: dict[str, Any] = {"Bucket": self._settings.s3_bucket_name, "Key": key}
        summed = self._client.meta.config.request_checksum_calculation == "when_supported"
        asked = {
            **place, **described, **write_options(self._settings), **({"ChecksumAlgorithm": "CRC32"} if summed else {})
        }  # fmt: skip

        async def attempt() -> Any:
            return await once(lambda: self._client.create_multipart_upload(**asked), self._seconds)

        answer = await with_quick_tries(attempt)
        return {**place, "UploadId": answer["UploadId"]}

    async def _parts(self, place: dict[str, Any], landing: Landing) -> list[Any]:
        size = max(self._settings.s3_multipart_bytes, -(-landing.size // MOST_PARTS))
        parts: list[Any] = []
        for start in range(0, landing.size, size):
            with closing(FilePart(landing.open(), start, min(size, landing.size - start))) as body:
                parts.append(await self._part(place, len(parts) + 1, body))
        return parts

    async def _part(self, place: dict[str, Any], number: int, body: FilePart) -> dict[str, Any]:
        md5 = base64.b64encode(await asyncio.to_thread(body.md5)).decode()
        whole: dict[str, Any] = {**place, "PartNumber": number, "ContentMD5": md5}

        async def attempt() -> Any:
            body.seek(0)
            return await once(
                lambda: self._client.upload_part(**whole, Body=body), seconds_for(body.size, self._seconds)
            )

        answer = await with_quick_tries(attempt)
        return {"PartNumber": number, "ETag": answer["ETag"]} | ({SUM: answer[SUM]} if SUM in answer else {})

    async def _abort(self, place: dict[str, Any]) -> None:
        try:
            await once(lambda: self._client.abort_multipart_upload(**place), ABORT_SECONDS)
        except StoreFault as fault:
            if not fault.absent:
                log.warning("parts of an upload are left in the store", key=place["Key"], fault=str(fault))
