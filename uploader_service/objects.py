"""The bucket as the uploader needs it: nothing is put twice, nothing is overwritten, nothing is believed unseen."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stage.telemetry import get_logger
from uploader_service.decide import NotStored
from uploader_service.fetch import FetchError
from uploader_service.landing import Landing
from uploader_service.puts import OtherBytesError, Puts
from uploader_service.settings import Settings
from uploader_service.store_calls import StoreFault, once, seconds_for, with_quick_tries

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

log = get_logger(__name__)

CHUNK = 1 << 18
DELETES_AT_ONCE = 8


class StoreError(Exception):
    """The store did not do it; carries the outcome that it becomes."""

    def __init__(self, code: str, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.outcome = NotStored(code, message, passing)


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a listing."""

    key: str
    size: int
    modified_at: datetime


class Objects:
    """Puts, gets, deletes and lists, with deadlines and retries of our own."""

    def __init__(self, client: "S3Client", settings: Settings) -> None:
        self._client, self._settings, self._bucket = client, settings, settings.s3_bucket_name
        self._seconds = settings.store_timeout.total_seconds()
        self._puts = Puts(client, settings)

    async def put(self, key: str, landing: Landing, content_type: str, *, first: bool) -> None:
        """Have what landed lie under `key`, whole; when it does already, nothing happens.

        Raises `StoreError`: a passing `storage_failed`, or `key_conflict` for other bytes that lie there and are kept.
        Where the store itself does not refuse to overwrite, only a try that is not the `first` looks beforehand.
        """
        try:
            await self._puts.put(key, landing, content_type, first=first)
        except StoreFault as fault:
            raise _failed(fault) from None
        except OtherBytesError:
            log.error("other bytes lie under this key", key=key, sha256=landing.sha256)
            raise StoreError("key_conflict", f"other bytes lie under {key}", passing=False) from None

    async def get_staged(self, key: str, sha256: str, landing: Landing) -> None:
        """Bring a staged object into `landing`. Raises `FetchError`, also when it is not what was staged."""
        try:
            answer = await once(lambda: self._client.get_object(Bucket=self._bucket, Key=key), self._seconds)
        except StoreFault as fault:
            code = "source_expired" if fault.absent else "source_unavailable"
            raise FetchError(code, f"of the staged source: {fault}", passing=not fault.absent) from None
        if answer["ContentLength"] > self._settings.max_bytes:
            answer["Body"].close()
            words = f"the source is larger than {self._settings.max_bytes} bytes: see UPLOADER_MAX_BYTES"
            raise FetchError("output_too_large", words, passing=False)
        await self._land(answer["Body"], landing, seconds_for(answer["ContentLength"], self._seconds))
        if landing.sha256 != sha256:
            raise FetchError("source_unavailable", "the staged source is not what was staged", passing=True)

    async def delete(self, keys: Sequence[str]) -> None:
        """See to it that nothing lies under these keys. Raises `StoreError`; some may be gone by then."""
        room = asyncio.Semaphore(DELETES_AT_ONCE)

        async def delete(key: str) -> None:
            async with room:
                await self._ask(lambda: self._client.delete_object(Bucket=self._bucket, Key=key))

        faults = [
            fault
            for fault in await asyncio.gather(*map(delete, keys), return_exceptions=True)
            if fault is not None and not (isinstance(fault, StoreFault) and fault.absent)
        ]
        for fault in faults:
            raise _failed(fault) if isinstance(fault, StoreFault) else fault

    async def listed(self, prefix: str) -> AsyncIterator[Listed]:
        """Every object whose key begins with `prefix`, page by page. Raises `StoreError`."""
        further: dict[str, Any] = {}
        while True:
            try:
                page = await self._ask(
                    lambda: self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, **further)  # noqa: B023
                )
            except StoreFault as fault:
                raise _failed(fault) from None
            for found in page.get("Contents", ()):
                yield Listed(found["Key"], found["Size"], found["LastModified"])
            if not page.get("IsTruncated"):
                return
            further = {"ContinuationToken": page["NextContinuationToken"]}

    async def _land(self, body: Any, landing: Landing, seconds: float) -> None:
        """Land a body, under one deadline for all of it."""
        until = asyncio.get_running_loop().time() + seconds
        try:
            while True:
                left = until - asyncio.get_running_loop().time()
                chunk = await once(lambda: body.read(CHUNK), max(0.0, left))
                if not chunk:
                    return
                await landing.write(chunk)
        except StoreFault as fault:
            raise FetchError("source_unavailable", f"of the staged source: {fault}", passing=True) from None
        finally:
            body.close()

    async def _ask(self, ask: Any) -> Any:
        async def attempt() -> Any:
            return await once(ask, self._seconds)

        return await with_quick_tries(attempt)


def _failed(fault: StoreFault) -> StoreError:
    return StoreError("storage_failed", str(fault), passing=True)
