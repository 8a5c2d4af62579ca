"""Puts an object where none lies, and knows afterwards that it is there."""

import asyncio
import base64
import hashlib
from contextlib import closing
from typing import TYPE_CHECKING, Any

from stage.bucket import write_options
from stage.telemetry import get_logger
from uploader_service.file_parts import FilePart
from uploader_service.landing import Landing
from uploader_service.multipart import Multipart
from uploader_service.settings import Settings
from uploader_service.small_puts import SmallPuts
from uploader_service.store_calls import StoreFault, once, seconds_for, with_quick_tries

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

log = get_logger(__name__)

SMALL = 1 << 18
"""Bytes that are summed up in less time than a thread takes to start."""
IN_ONE_PIECE = 1 << 20
"""Bytes that aiohttp sends as they are; what is larger it wants as a file."""
NEW = {"IfNoneMatch": "*"}
TAKEN = {"PreconditionFailed", "412"}
UNKNOWN_HEADER = {"NotImplemented", "InvalidArgument", "InvalidRequest"}
"""What stores answer that do not know If-None-Match."""


class OtherBytesError(Exception):
    """Something else lies under the key."""


class Puts:
    """PUTs into one bucket that never overwrite other bytes. They raise `StoreFault` or `OtherBytesError`."""

    def __init__(self, client: "S3Client", settings: Settings) -> None:
        self._client, self._settings = client, settings
        self._seconds = settings.store_timeout.total_seconds()
        self._small, self._multipart = SmallPuts(client), Multipart(client, settings, self._seconds)
        self._refuses_to_overwrite: bool | None = None  # whether If-None-Match counts here; None until that is known
        self._finding_out = False

    async def put(self, key: str, landing: Landing, content_type: str, *, first: bool) -> None:
        """Have what landed lie under `key`; when it does already, nothing happens.

        A store that does not refuse to overwrite is asked beforehand, unless this is the `first` try ever.
        """
        large = landing.size > self._settings.s3_multipart_bytes
        if not first and (large or not self._refuses_to_overwrite) and await self._lies_there(key, landing):
            return
        try:
            await self._put_new(key, landing, {"ContentType": content_type, "Metadata": {"sha256": landing.sha256}})
        except StoreFault as fault:
            if fault.code not in TAKEN:
                raise
            self._refuses_to_overwrite = True
            if not await self._lies_there(key, landing):
                raise StoreFault("what lay under the key is gone again") from None

    async def _put_new(self, key: str, landing: Landing, described: dict[str, Any]) -> None:
        large = landing.size > self._settings.s3_multipart_bytes
        put = self._put_in_parts if large else self._put_whole
        if self._refuses_to_overwrite is False:
            return await put(key, landing, described, {})
        try:
            await put(key, landing, described, NEW)
        except StoreFault as fault:
            if fault.code not in UNKNOWN_HEADER and fault.status != 501:
                raise
            await put(key, landing, described, {})
            self._refuses_to_overwrite = False
        if self._refuses_to_overwrite is None and landing.content is not None:
            await self._find_out(key, landing, described)
        return None

    async def _find_out(self, key: str, landing: Landing, described: dict[str, Any]) -> None:
        """Put what lies there a second time, once in a process's life: does the store refuse?"""
        if self._finding_out:
            return
        self._finding_out = True
        try:
            await self._put_whole(key, landing, described, NEW)
            self._refuses_to_overwrite = False
        except StoreFault as fault:
            if fault.code in TAKEN:
                self._refuses_to_overwrite = True
        finally:
            self._finding_out = False
        log.info("whether the store refuses to overwrite", refuses=self._refuses_to_overwrite)

    async def _put_whole(
        self, key: str, landing: Landing, described: dict[str, Any], condition: dict[str, Any]
    ) -> None:
        with closing(FilePart(landing.open(), 0, landing.size)) as file:
            content = landing.content if landing.size <= IN_ONE_PIECE else None
            md5 = _md5(content) if content is not None and landing.size <= SMALL else await asyncio.to_thread(file.md5)
            asked: dict[str, Any] = {
                "Bucket": self._settings.s3_bucket_name, "Key": key, "ContentMD5": base64.b64encode(md5).decode(),
                **described, **write_options(self._settings), **condition,
            }  # fmt: skip

            async def ask() -> Any:
                if content is not None:
                    return await self._small.put(content, **asked)
                file.seek(0)
                return await self._client.put_object(Body=file, **asked)

            async def attempt() -> None:
                answer = await once(ask, seconds_for(landing.size, self._seconds))
                if self._settings.s3_verify or not _vouches(answer, md5):
                    await self._confirm(key, landing)

            await with_quick_tries(attempt)

    async def _put_in_parts(
        self, key: str, landing: Landing, described: dict[str, Any], condition: dict[str, Any]
    ) -> None:
        await self._multipart.put(key, landing, described, condition)
        await self._confirm(key, landing)

    async def _confirm(self, key: str, landing: Landing) -> None:
        """Raise a `StoreFault` unless the store has what it said that it took."""
        found = await self._head(key, landing.size)
        if found is None or found["ContentLength"] != landing.size:
            raise StoreFault("the store does not have what it said that it took", at_once=True)

    async def _lies_there(self, key: str, landing: Landing) -> bool:
        """Whether the key is taken, by these bytes. Raises `OtherBytesError` when it is taken by others."""
        found = await self._head(key, landing.size)
        if found is None:
            return False
        if found["ContentLength"] != landing.size:
            raise OtherBytesError
        # Some stores forget what objects were put with, and some have tags that are no sums: those are read.
        said = found.get("Metadata", {}).get("sha256") or await self._sum_of(key, landing.size)
        if said != landing.sha256:
            raise OtherBytesError
        return True

    async def _head(self, key: str, size: int) -> Any:
        """What the store says of an object; None when it has none. Some read all of it to name its tag."""

        async def attempt() -> Any:
            return await once(
                lambda: self._client.head_object(Bucket=self._settings.s3_bucket_name, Key=key),
                seconds_for(size, self._seconds),
            )

        try:
            return await with_quick_tries(attempt)
        except StoreFault as fault:
            if fault.absent:
                return None
            raise

    async def _sum_of(self, key: str, size: int) -> str:
        async def read() -> str:
            sum_ = hashlib.sha256()
            answer = await self._client.get_object(Bucket=self._settings.s3_bucket_name, Key=key)
            async for chunk in answer["Body"].iter_chunks(IN_ONE_PIECE):
                sum_.update(chunk)
            return sum_.hexdigest()

        return await once(read, seconds_for(size, self._seconds))


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def _vouches(answer: Any, md5: bytes) -> bool:
    """Whether the tag says that the right bytes arrived. With a key of KMS it is no sum, but there is one."""
    tag = str(answer.get("ETag", "")).strip('"').lower()
    return tag == md5.hex() or (bool(tag) and answer.get("ServerSideEncryption") == "aws:kms")
