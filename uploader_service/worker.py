"""Claims outputs that are due, fetches them, stores them, and names what came of it."""

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog
from aiobotocore.httpsession import HTTPClientError
from botocore.exceptions import BotoCoreError, ClientError

from schemas.clock import Clock
from schemas.events import UrlSource
from schemas.identity import storage_key_of
from stage.retry import delay_before
from stage.telemetry import get_logger
from uploader_service.decide import Budget, Claim, NotStored, Outcome, Stored, Verdict, decide
from uploader_service.fetch import Fetcher, FetchError
from uploader_service.settings import Settings
from uploader_service.sniff import NotMediaError, sniff
from uploader_service.store import Store

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

log = get_logger(__name__)

QUICK_TRIES = 3
"""Tries of one PUT within a claim: rclone answers 500 to several first PUTs into a folder that is being made."""


class Worker:
    """One beat after the other: claim, fetch and store, decide, record."""

    def __init__(self, store: Store, fetcher: Fetcher, bucket: "S3Client", settings: Settings, now: Clock) -> None:
        self._store, self._fetcher, self._bucket = store, fetcher, bucket
        self._settings, self._now = settings, now
        self._budget = Budget(
            settings.max_attempts,
            lambda attempt: delay_before(
                attempt, initial=settings.initial_retry_delay, maximum=settings.max_retry_delay
            ),
        )

    async def claim(self, limit: int) -> Sequence[Claim]:
        """Up to `limit` outputs that are due."""
        return await self._store.claim_due(limit, self._now(), self._settings.lease)

    async def work(self, claim: Claim) -> Verdict:
        """Store one output. The same bytes go to the same key, so a repeat changes nothing."""
        with structlog.contextvars.bound_contextvars(
            job_id=str(claim.job_id), index=claim.index, attempt=claim.attempt
        ):
            verdict = decide(claim, await self._fetch_and_store(claim), self._now(), self._budget)
            log.info("upload", state=verdict.state, error=verdict.error)
            return verdict

    async def record(self, verdicts: Sequence[Verdict]) -> None:
        """Write what came of it; a claim that another worker took over is dropped."""
        counted = await self._store.record(verdicts)
        if counted < len(verdicts):
            log.warning("claims were taken over", dropped=len(verdicts) - counted)

    async def _fetch_and_store(self, claim: Claim) -> Outcome:
        try:
            content = await self._content(claim)
            seen = sniff(content)
        except FetchError as fault:
            return fault.outcome
        except NotMediaError as wrong:
            return NotStored("output_unreadable", str(wrong), passing=False)
        key = storage_key_of(claim.job_id, claim.revision, claim.index, seen.extension)
        if not_stored := await self._put(key, content, seen.content_type):
            return not_stored
        return Stored(
            key, hashlib.sha256(content).hexdigest(), len(content), seen.content_type,
            seen.width, seen.height, seen.duration_ms,
        )  # fmt: skip

    async def _content(self, claim: Claim) -> bytes:
        if isinstance(claim.source, UrlSource):
            return await self._fetcher.fetch(claim.source.url)
        return await self._staged(claim.source.key)

    async def _staged(self, key: str) -> bytes:
        try:
            async with asyncio.timeout(self._settings.fetch_timeout.total_seconds()):
                answer = await self._bucket.get_object(Bucket=self._settings.s3_bucket_name, Key=key)
                content: bytes = await answer["Body"].read()
                return content
        except ClientError as refused:
            gone = refused.response["Error"].get("Code") == "NoSuchKey"
            code = "source_expired" if gone else "source_unavailable"
            raise FetchError(code, "the store does not give the staged source", passing=not gone) from None
        except (BotoCoreError, HTTPClientError, TimeoutError, OSError) as broken:
            words = f"the store did not answer: {type(broken).__name__}"
            raise FetchError("source_unavailable", words, passing=True) from None

    async def _put(self, key: str, content: bytes, content_type: str) -> NotStored | None:
        """PUT under our own deadline, trying a few times at once. The store checks the MD5 of what arrived."""
        md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        fault = ""
        for quick_try in range(QUICK_TRIES):
            try:
                async with asyncio.timeout(self._settings.store_timeout.total_seconds()):
                    await self._bucket.put_object(
                        Bucket=self._settings.s3_bucket_name, Key=key, Body=content, ContentType=content_type,
                        ContentMD5=md5,
                    )  # fmt: skip
                return None
            except ClientError as refused:
                fault = f"the store answered {refused.response['Error'].get('Code', 'an error')}"
            except (BotoCoreError, HTTPClientError, TimeoutError, OSError) as broken:
                fault = f"the store did not answer: {type(broken).__name__}"
            await asyncio.sleep(0.02 * 3**quick_try)
        return NotStored("storage_failed", fault, passing=True)
