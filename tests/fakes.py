"""Small stand-ins that remember what was asked of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition

import gateway.key_store
import gateway.store
import generator_service.store
import uploader_service.objects
import uploader_service.store
from gateway.key_store import KnownKey
from gateway.log_tail import LogTail, TooFarBehindError
from gateway.reuse import SAME
from gateway.signing import Signer
from gateway.waiting import Marker
from generator_service.calls import Call
from generator_service.claim import Claim as GenerationClaim
from generator_service.claim import Verdict
from schemas.events import JobRequested
from schemas.jobs import Job
from schemas.wire import Record
from stage.kafka import LogEnds
from stage.work import Beats
from uploader_service.fetch import Fetcher, FetchError
from uploader_service.landing import Landing
from uploader_service.objects import Listed, StoreError


class Rows:
    """Work rows in memory: numbers to work on, each claimed once, its result recorded beside the others."""

    def __init__(self, numbers: Sequence[int] = ()) -> None:
        self.due = list(numbers)
        self.claimed: list[list[int]] = []
        self.batches: list[list[int]] = []
        self.wakes = 0
        self.in_work = 0
        self.most_in_work = 0
        self.claim_faults: list[Exception] = []
        self.record_faults: list[Exception] = []
        self.while_working: Callable[[int], Awaitable[None]] = _nothing
        self.while_recording: Callable[[], Awaitable[None]] = _nothing_more

    @property
    def recorded(self) -> list[int]:
        """Everything recorded so far, in order."""
        return [number for batch in self.batches for number in batch]

    def beats(self) -> Beats[int, int]:
        """These rows as a kind of work."""
        return Beats("numbers", self.claim, self.work, self.record, self.wake)

    async def claim(self, limit: int) -> list[int]:
        """Up to `limit` of the due numbers, which are then due no more."""
        await asyncio.sleep(0)
        if self.claim_faults:
            raise self.claim_faults.pop(0)
        taken, self.due = self.due[:limit], self.due[limit:]
        if taken:
            self.claimed.append(taken)
        return taken

    async def work(self, number: int) -> int:
        """The number itself."""
        self.in_work += 1
        self.most_in_work = max(self.most_in_work, self.in_work)
        try:
            await self.while_working(number)
        finally:
            self.in_work -= 1
        return number

    async def record(self, results: Sequence[int]) -> None:
        """Keep the results, all or none."""
        batch = list(results)
        await self.while_recording()
        if self.record_faults:
            raise self.record_faults.pop(0)
        self.batches.append(batch)

    def wake(self) -> None:
        """Something new was recorded."""
        self.wakes += 1


async def _nothing(_: int) -> None:
    await asyncio.sleep(0)


async def _nothing_more() -> None:
    await asyncio.sleep(0)


class GenerationStore(generator_service.store.Store):
    """The generator's rows in memory, as far as a worker and the media routes ask for them."""

    def __init__(
        self, due: Sequence[GenerationClaim] = (), calls: Sequence[Call] = (), claimed: Iterable[str] = ()
    ) -> None:
        self._due, self._calls = list(due), {call.generation_id: call for call in calls}
        self._claimed = frozenset(claimed)
        self.claims: list[tuple[str, int, datetime, timedelta | None]] = []
        self.verdicts: list[Verdict] = []
        self.late: list[Verdict] = []
        self.taken_over = 0
        """How many of the first verdicts are of claims that another worker took over."""

    async def claim_to_make(self, limit: int, at: datetime, lease: timedelta) -> list[GenerationClaim]:
        return self._take("to make", limit, at, lease)

    async def claim_to_look_at(self, limit: int, at: datetime, lease: timedelta) -> list[GenerationClaim]:
        return self._take("to look at", limit, at, lease)

    async def claim_waiting(self, limit: int, at: datetime, lease: timedelta) -> list[GenerationClaim]:
        return self._take("waiting", limit, at, lease)

    def _take(self, kind: str, limit: int, at: datetime, lease: timedelta | None) -> list[GenerationClaim]:
        self.claims.append((kind, limit, at, lease))
        taken, self._due = self._due[:limit], self._due[limit:]
        return taken

    async def claimed_ids(self, provider: str, provider_ids: Sequence[str]) -> frozenset[str]:
        return self._claimed & set(provider_ids)

    async def record(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        counted = list(verdicts[self.taken_over :])
        self.verdicts += counted
        return counted

    async def has_twin(self, claim: GenerationClaim) -> bool:
        return False

    async def answered_late(self, verdicts: Sequence[Verdict], at: datetime) -> None:
        self.late += verdicts

    async def call_of(self, generation_id: UUID) -> Call | None:
        return self._calls.get(generation_id)


class UploadStore(uploader_service.store.Store):
    """The uploader's rows, of which a worker on one claim needs none."""

    def __init__(self) -> None:
        pass


class Sources(Fetcher):
    """What every source holds, or why it cannot be had, and how often somebody asked."""

    def __init__(self, content: bytes | Exception) -> None:
        self.content = content
        self.asked = 0
        self.on_asked: Callable[[], Awaitable[None]] = _nothing_more

    async def fetch(self, source_url: str, provider: str, landing: Landing) -> None:
        self.asked += 1
        await self.on_asked()
        if isinstance(self.content, Exception):
            raise self.content
        await landing.write(self.content)


class Objects(uploader_service.objects.Objects):
    """A bucket in memory. It fails as often as it was told, and for as long as `away` says why."""

    def __init__(self, faults: Sequence[Exception] = ()) -> None:
        self._faults = list(faults)
        self.away: Exception | None = None
        self.there: dict[str, tuple[bytes, str]] = {}
        self.times: dict[str, datetime] = {}
        self.firsts: list[bool] = []
        """Of each put, whether it was called the first."""
        self.on_stored: Callable[[], Awaitable[None]] = _nothing_more

    async def put(self, key: str, landing: Landing, content_type: str, *, first: bool) -> None:
        self.firsts.append(first)
        self._maybe_fail()
        with landing.open() as file:
            content = file.read()
        if self.there.get(key, (content, ""))[0] != content:
            raise StoreError("key_conflict", "other bytes lie there", passing=False)
        self.there[key] = (content, content_type)
        await self.on_stored()

    async def get_staged(self, key: str, sha256: str, landing: Landing) -> None:
        if self.away is not None:
            raise FetchError("source_unavailable", "the store is away", passing=True)
        if key not in self.there:
            raise FetchError("source_expired", "the store has no such object", passing=False)
        await landing.write(self.there[key][0])
        if landing.sha256 != sha256:
            raise FetchError("source_unavailable", "the staged source is not what was staged", passing=True)

    async def delete(self, keys: Sequence[str]) -> None:
        self._maybe_fail()
        for key in keys:
            self.there.pop(key, None)

    async def listed(self, prefix: str) -> AsyncIterator[Listed]:
        self._maybe_fail()
        for key in [key for key in self.there if key.startswith(prefix)]:
            yield Listed(key, len(self.there[key][0]), self.times.get(key, datetime.now(UTC)))

    def _maybe_fail(self) -> None:
        if self._faults:
            raise self._faults.pop(0)
        if self.away is not None:
            raise self.away


class Log:
    """A Kafka producer that keeps what it was sent, or refuses it, or never answers."""

    def __init__(self, fault: Exception | None = None, *, silent: bool = False) -> None:
        self._fault, self._silent = fault, silent
        self.records: list[Record] = []

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, partition: int | None = None,
        timestamp_ms: int | None = None, headers: Sequence[tuple[str, bytes | None]] | None = None,
    ) -> "asyncio.Future[None]":  # fmt: skip
        self.records.append(Record(topic, partition, key, value, headers or ()))
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._fault:
            acknowledged.set_exception(self._fault)
        elif not self._silent:
            acknowledged.set_result(None)
        return acknowledged


class Views(gateway.store.Store):
    """The ledger's views: what each look at a job shows, the last one from then on."""

    def __init__(
        self, *looks: Job | None, following: int = 0, fault: Exception | None = None, order: list[str] | None = None
    ) -> None:
        self._looks, self._following, self._fault = list(looks) or [None], following, fault
        self._order = [] if order is None else order
        self.asked: list[tuple[UUID, str]] = []
        self.made: frozenset[int] = frozenset()
        """Outputs that were generated, stored or not."""

    async def job(self, job_id: UUID, tenant: str) -> Any:
        self._order.append("job")
        return self._look(job_id, tenant)

    async def job_and_next(self, job_id: UUID, tenant: str, partition: int) -> tuple[Any, int]:
        self._order.append("job and next")
        return self._look(job_id, tenant), self._following

    async def request(self, job_id: UUID, tenant: str) -> Mapping[str, Any] | None:
        job = self._looks[0]
        if self._fault:
            raise self._fault
        return None if job is None else job.model_dump(include={*SAME, "data_removed_at"})

    async def markers(self, job_ids: Iterable[UUID]) -> dict[UUID, Marker]:
        if self._fault:
            raise self._fault
        return {job.job_id: Marker.of(job) for job in self._looks[:1] if job and job.job_id in set(job_ids)}

    async def made_outputs(self, job_id: UUID) -> frozenset[int]:
        return self.made

    def _look(self, job_id: UUID, tenant: str) -> Any:
        self.asked.append((job_id, tenant))
        if self._fault:
            raise self._fault
        job = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return None if job is None else row_of(job)


def row_of(job: Job) -> Any:
    """The row of the ledger's views that shows this job. An output that was removed is told by its revision."""
    known = job.model_dump(exclude={"created_at", "done", "media", "input", "metadata"})
    linked = {"presigned_media_url", "url_expires_at", "content_url", "removed"}
    outputs = [
        media.model_dump(mode="json", exclude=linked) | {"revision": 0 if media.removed else job.revision}
        for media in job.media
    ]
    written = {"input": json.dumps(job.input), "metadata": json.dumps(job.metadata), "outputs": json.dumps(outputs)}
    return known | written | {"requested_at": job.created_at, "removed_revision": 0}


class Keys(gateway.key_store.KeyStore):
    """The keys that were given out. Does not answer while it has a fault, or is not open."""

    def __init__(self) -> None:
        self.keys: dict[bytes, KnownKey] = {}
        self.fault: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[list[bytes]] = []
        self.written: list[dict[str, datetime]] = []

    async def known(self, hashes: Collection[bytes]) -> dict[bytes, KnownKey]:
        self.asked.append(list(hashes))
        found = {hashed: self.keys[hashed] for hashed in hashes if hashed in self.keys}
        await self.open.wait()
        if self.fault:
            raise self.fault
        return found

    async def used(self, keys: Mapping[str, datetime]) -> None:
        if self.fault:
            raise self.fault
        self.written.append(dict(keys))


class Ends(LogEnds):
    """A log whose every partition ends at one offset, or that does not answer."""

    def __init__(self, end: int | Exception, order: list[str] | None = None) -> None:
        self._end, self._order = end, [] if order is None else order
        self.asked = 0

    async def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked += 1
        self._order.append("ends")
        if isinstance(self._end, Exception):
            raise self._end
        return dict.fromkeys(partitions, self._end)


class Tail(LogTail):
    """A stretch of the log that holds one request, or none, or cannot be read."""

    def __init__(self, found: JobRequested | Exception | None = None, most: int = 5_000) -> None:
        self._found, self._most = found, most
        self.searched: list[tuple[bytes, int, int, int]] = []

    async def find(self, key: bytes, partition: int, start: int, end: int) -> JobRequested | None:
        self.searched.append((key, partition, start, end))
        if end - start > self._most:
            raise TooFarBehindError
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


class Links(Signer):
    """Links that nobody has to sign."""

    def __init__(self) -> None:
        pass

    def window(self) -> datetime:
        return datetime(2026, 1, 12, 12, tzinfo=UTC)

    def link(self, key: str) -> tuple[str, datetime]:
        return f"https://media/{key}", datetime(2026, 1, 12, 13, tzinfo=UTC)
