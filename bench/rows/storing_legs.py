"""The two sides of `storing`, a round of each at a time."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import UUID

from bench import place
from bench.bare import client, put_all
from bench.cost import Meter, difference
from bench.facts import Log
from bench.pictures import picture
from bench.place import NoFigureError
from bench.running import say
from bench.source import Source, source
from schemas.clock import utc_now
from schemas.events import MediaGenerated, MediaStored, UploadFailed, UrlSource
from schemas.identity import job_id_of, storage_key_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

SAMPLE = 100  # objects of a round that are read back


@dataclass(frozen=True, slots=True)
class Leg:
    """One round of one side. `failed` are the tries that came to nothing and were made again."""

    outputs: int
    seconds: float
    cpu: Mapping[str, float]
    failed: int

    @property
    def per_second(self) -> float:
        """Outputs."""
        return self.outputs / self.seconds


@dataclass(frozen=True)
class Legs:
    """Servers, one uploader, and the same pictures for both sides."""

    environ: Mapping[str, str]
    served: Source
    client: "S3Client"
    log: Log
    meter: Meter
    pictures: Sequence[bytes]
    sums: Sequence[str]
    per_job: int

    @classmethod
    @asynccontextmanager
    async def open(cls, home: Path, outputs: int, per_job: int) -> AsyncIterator["Legs"]:
        """Draw the pictures, start everything, and stop it at the end."""
        say(f"drawing {outputs:,} pictures")
        pictures = await asyncio.to_thread(_drawn, outputs, home)
        async with AsyncExitStack() as opened:
            served = await opened.enter_async_context(source(home))
            told = {"UPLOADER_ALLOWED_PRIVATE": served.address}
            stack = await opened.enter_async_context(place.stack(home, ["uploader"], told))
            putting = await opened.enter_async_context(client(stack.environ))
            log = await opened.enter_async_context(Log.open(stack.environ, MediaStored, UploadFailed))
            pids = {name: stack.describe(name).pid or 0 for name in ("uploader", "kafka", "postgres", "s3")}
            meter = Meter(pids | {"source": served.pid})
            sums = [hashlib.sha256(content).hexdigest() for content in pictures]
            yield cls(stack.environ, served, putting, log, meter, pictures, sums, per_job)

    def url(self, number: int) -> str:
        """Where the source of that picture lies."""
        return self.served.url(_file_name(number))

    async def bare(self, round_name: str) -> Leg:
        """PUT every picture, to keys such as the uploader's."""
        keys = (storage_key_of(*self._place("bare", round_name, number), "jpg") for number in range(len(self.pictures)))
        objects = zip(keys, self.pictures, strict=True)
        return await self._measured(put_all(self.client, self.environ["S3_BUCKET_NAME"], objects, "image/jpeg"))

    async def stage(self, round_name: str) -> Leg:
        """Say that every picture was generated, hear that it was stored, and check that it was."""
        places = [self._place("stage", round_name, number) for number in range(len(self.pictures))]
        said = [self._generated(number, *each) for number, each in enumerate(places)]
        heard: dict[tuple[UUID, int, int], MediaStored] = {}
        leg = await self._measured(self._store(said, heard))
        stored = [heard[each] for each in places]
        for number, fact in enumerate(stored):
            if fact.sha256 != self.sums[number]:
                raise NoFigureError(f"{fact.key} was stored with other bytes than were made")
        await self._read_back(stored)
        return leg

    async def _store(self, said: Sequence[MediaGenerated], heard: dict[tuple[UUID, int, int], MediaStored]) -> int:
        """Return once all that was said is stored; how many tries failed."""
        failed = 0
        await self.log.say(said)
        async for fact in self.log.hear():
            if isinstance(fact, MediaStored):
                heard[fact.job_id, fact.revision, fact.index] = fact
            elif isinstance(fact, UploadFailed):
                failed += 1
                if fact.final:
                    raise NoFigureError(f"an output could not be stored: {fact.code}, {fact.message}")
            if len(heard) == len(said):
                break
        return failed

    async def _measured(self, work: Awaitable[int]) -> Leg:
        cpu, began = self.meter.seconds(), perf_counter()
        failed = await work
        seconds = perf_counter() - began
        return Leg(len(self.pictures), seconds, difference(cpu, self.meter.seconds()), failed)

    def _place(self, side: str, round_name: str, number: int) -> tuple[UUID, int, int]:
        """Job, revision and index of a picture: new ones in each round of each side."""
        job, index = divmod(number, self.per_job)
        return job_id_of("bench", f"{side}/{round_name}/{job}"), 1, index

    def _generated(self, number: int, job_id: UUID, revision: int, index: int) -> MediaGenerated:
        return MediaGenerated.say(
            job_id, "bench", utc_now(), revision=revision, index=index, generation=0, attempt=1, provider="bench",
            output_format="jpg", source=UrlSource(url=self.url(number)),
        )  # fmt: skip

    async def _read_back(self, stored: Sequence[MediaStored]) -> None:
        """A sample of what lies in the bucket is what the facts say."""
        for fact in stored[:: max(len(stored) // SAMPLE, 1)]:
            answer = await self.client.get_object(Bucket=self.environ["S3_BUCKET_NAME"], Key=fact.key)
            if hashlib.sha256(await answer["Body"].read()).hexdigest() != fact.sha256:
                raise NoFigureError(f"{fact.key} holds other bytes than its fact says")


def _file_name(number: int) -> str:
    return f"{number}.jpg"


def _drawn(outputs: int, folder: Path) -> list[bytes]:
    """Pictures, which also lie in `folder` for the source."""
    pictures = [picture(number) for number in range(outputs)]
    for number, content in enumerate(pictures):
        (folder / _file_name(number)).write_bytes(content)
    return pictures
