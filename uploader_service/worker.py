"""Claims outputs that are due, fetches them, stores them, and names what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from prometheus_client import Counter

from schemas.clock import Clock
from schemas.events import UrlSource
from schemas.identity import storage_key_of
from stage.database import PASSING
from stage.telemetry import get_logger
from uploader_service.decide import (
    Kept,
    NoAnswer,
    NoRoom,
    NothingEarlier,
    NotStored,
    Outcome,
    Removed,
    SpoolLost,
    Step,
    Stored,
    Verdict,
    decide,
    step,
)
from uploader_service.fetch import Fetcher, FetchError
from uploader_service.landing import Landing, SpoolFullError
from uploader_service.objects import Objects, StoreError
from uploader_service.settings import Settings
from uploader_service.sniff import NotMediaError, sniff, unexpected
from uploader_service.spool import Held, Spool
from uploader_service.store import Store
from uploader_service.store_calls import seconds_for
from uploader_service.uploads import Claim, Media, Spooled

log = get_logger(__name__)
T = TypeVar("T")

PAUSE_SECONDS = 0.5
SLOW_SECONDS = 5.0
"""With all fetches waiting so long for the store, sources would run out."""
EXPIRED = Counter("darkroom_sources_expired", "Outputs whose source was gone before they were fetched")
FULL = Counter("darkroom_spool_full", "Outputs that found no room in the spool, each time")


@dataclass(frozen=True, slots=True)
class Worked:
    """A verdict, and the bytes in hand that it speaks of."""

    verdict: Verdict
    held: Held | None


class Worker:
    """One beat after the other: claim, fetch or store, decide, record. `spooled`: there is more to store now."""

    def __init__(
        self, store: Store, fetcher: Fetcher, objects: Objects, spool: Spool, settings: Settings, now: Clock,
        spooled: Callable[[], None],
    ) -> None:  # fmt: skip
        self._store, self._fetcher, self._objects, self._spool = store, fetcher, objects, spool
        self._settings, self._policy, self._now = settings, settings.policy, now
        self._spooled = spooled
        self._listening_since = now()
        self._store_away = False  # its last answer was a fault that passes, took long, or never came
        self.in_work: set[tuple[int, int]] = set()
        """Id and fence of claims whose leases must be kept up: in work, or not recorded yet."""

    async def claim_to_fetch(self, limit: int) -> Sequence[Claim]:
        """Up to `limit` outputs that are not fetched yet, or wait for something and have waited long enough."""
        return await self._store.claim_to_fetch(limit, self._now(), self._settings.lease)

    async def claim_to_store(self, limit: int) -> Sequence[Claim]:
        """Up to `limit` outputs that wait in our spool."""
        return await self._store.claim_to_store(limit, self._now(), self._settings.lease)

    async def work(self, claim: Claim) -> Worked:
        """Do what is next about one output. The same bytes go to the same key, so a repeat changes nothing."""
        self.in_work.add((claim.id, claim.fence))
        with structlog.contextvars.bound_contextvars(
            job_id=str(claim.job_id), index=claim.index, revision=claim.revision, attempt=claim.attempt
        ):
            outcome, held = await self._do(claim)
            verdict = decide(claim, outcome, self._now(), self._policy)
            if verdict.error == "source_expired":
                EXPIRED.inc()
            if isinstance(outcome, NoRoom):
                FULL.inc()
                log.error("the spool is full", spool_dir=str(self._settings.spool_dir))
            log.info("upload", was=claim.state, state=verdict.claim.state, error=verdict.error)
            return Worked(verdict, held)

    async def record(self, results: Sequence[Worked]) -> None:
        """Write what came of it; a claim that another worker took over is dropped."""
        counted = await self._store.record([result.verdict for result in results])
        for result in results:
            claim = (result.verdict.claim.id, result.verdict.claim.fence)
            self.in_work.discard(claim)
            if result.held is not None:
                await self._let_go(result.held, result.verdict, counted=claim in counted)
        if any(result.verdict.claim.state == "SPOOLED" for result in results):
            self._spooled()
        if len(counted) < len(results):
            log.warning("claims were taken over", dropped=len(results) - len(counted))

    async def _do(self, claim: Claim) -> tuple[Outcome, Held | None]:
        match step(claim):
            case Step.FIND:
                return await _patiently(lambda: self._store.earlier(claim)) or NothingEarlier(), None
            case Step.FETCH:
                held = await self._spool.left_behind(claim) or self._spool.landing(claim)
                return await self._fetch_and_store(claim, held), held
            case Step.STORE:
                return await self._store_spooled(claim)
            case Step.END:
                return await self._end(claim), None

    async def _fetch_and_store(self, claim: Claim, held: Held) -> Outcome:
        """Fetch, and store at once what is small; a crash fetches it again. What is large is safe in a file first."""
        landing = held.landing
        try:
            if not landing.size:
                await self._fetch(claim, landing)
            media = await self._media(claim, landing)
        except (FetchError, NotMediaError) as fault:
            return fault.outcome
        except SpoolFullError:
            return NoRoom()
        if landing.content is None:
            return await self._kept(held, media)
        if self._store_away and not isinstance(kept := await self._kept(held, media), NoRoom):
            return kept  # whoever waited for the store would fetch nothing meanwhile
        try:
            await self._put(media, landing, first=claim.attempt == 1)
        except StoreError as fault:
            return await self._kept(held, media, fault.outcome) if fault.outcome.passing else fault.outcome
        return Stored(media)

    async def _fetch(self, claim: Claim, landing: Landing) -> None:
        source = claim.source
        if source is None:
            raise FetchError("source_expired", "nothing says where the output is", passing=False)
        if isinstance(source, UrlSource):
            await self._fetcher.fetch(source.url, claim.provider, landing)
        else:
            await self._objects.get_staged(source.key, source.sha256, landing)

    async def _media(self, claim: Claim, landing: Landing) -> Media:
        """What the bytes are. Raises `NotMediaError`, also when they are not of the kind that was asked for."""
        # Looking into a file may block.
        seen = sniff(landing) if landing.content is not None else await asyncio.to_thread(sniff, landing)
        if wrong := unexpected(claim.output_format, seen):
            raise wrong
        return Media(
            storage_key_of(claim.job_id, claim.revision, claim.index, seen.extension), landing.sha256, landing.size,
            seen.content_type, seen.width, seen.height, seen.duration_ms,
        )  # fmt: skip

    async def _put(self, media: Media, landing: Landing, *, first: bool) -> None:
        """Put it, and remember whether the store is there. Raises `StoreError`."""
        began = self._now()
        try:
            await self._objects.put(media.key, landing, media.content_type, first=first)
        except StoreError as fault:
            self._store_away = fault.outcome.passing
            raise
        self._store_away = (self._now() - began).total_seconds() > seconds_for(landing.size, SLOW_SECONDS)

    async def _kept(self, held: Held, media: Media, fault: NotStored | None = None) -> Outcome:
        try:
            await held.landing.keep()
        except SpoolFullError:
            return NoRoom()
        return Kept(media, Spooled(held.file, self._spool.owner), fault)

    async def _store_spooled(self, claim: Claim) -> tuple[Outcome, Held | None]:
        """Store from the file, if it still is what was kept."""
        if claim.spooled is None or claim.media is None:
            return SpoolLost(), None
        held = await self._spool.kept(claim.spooled.file)
        if held is None or held.landing.sha256 != claim.media.sha256:
            log.error("a spool file is lost", file=claim.spooled.file, there=held is not None)
            if held is not None:
                await held.landing.discard()  # at once: what was changed must never be taken for what was left behind
            return SpoolLost(), held
        try:
            await self._put(claim.media, held.landing, first=False)
        except StoreError as fault:
            return fault.outcome, held
        return Stored(claim.media), held

    async def _end(self, claim: Claim) -> Outcome:
        """Whether it is over: a provider that we could not ask yet, or not hear, has not been silent."""
        if claim.removed:
            return Removed()
        deaf = self._now() < self._listening_since + self._policy.renewal_patience
        return NoAnswer(asked=not deaf and not await _patiently(lambda: self._store.unsaid(claim)))

    async def _let_go(self, held: Held, verdict: Verdict, *, counted: bool) -> None:
        """Remove the bytes unless the row speaks of them. Those of a claim that did not count may be another's now."""
        try:
            if counted and (verdict.claim.spooled is None or verdict.claim.spooled.file != held.file):
                await held.landing.discard()
        except OSError as fault:
            log.warning("a spool file is removed later", file=held.file, fault=type(fault).__name__)
        finally:
            self._spool.release(held)


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """What the rows say, once PostgreSQL answers. Until then nothing could be recorded either."""
    while True:
        try:
            return await ask()
        except PASSING as fault:
            log.warning("rows cannot be read yet", fault=type(fault).__name__)
            await asyncio.sleep(PAUSE_SECONDS)
