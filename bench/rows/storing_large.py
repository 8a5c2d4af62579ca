"""`storing --large`: the memory that an uploader needs to store one large video."""

import asyncio
import hashlib
from pathlib import Path
from time import perf_counter

from bench import place
from bench.cost import Memory
from bench.facts import Log
from bench.place import NoFigureError
from bench.report import Figure, Report
from bench.running import say
from bench.source import Source, source
from bench.video import write_video
from schemas.clock import utc_now
from schemas.events import MediaGenerated, MediaStored, UploadFailed, UrlSource
from schemas.identity import job_id_of

SIZE = 500_000_000
NAME = "large.mp4"
MEGABYTE = 1_000_000
WHAT = "memory that the uploader takes over its idle, at most, while it stores one large video"
TOLD = {
    "UPLOADER_MAX_BYTES": str(2 * SIZE),
    # By default they are short, so that small outputs are not held up.
    "UPLOADER_FETCH_TIMEOUT": "PT300S",
    "UPLOADER_STORE_TIMEOUT": "PT300S",
    "UPLOADER_LEASE": "PT1500S",
}


async def storing_large(rounds: int, size: int = SIZE) -> Report:
    """Store the video once in each round, under a new job; idle is what the uploader took before the first."""
    async with place.folder() as home, source(home) as served:
        say("making the video")
        await asyncio.to_thread(write_video, home / NAME, size)
        made = await asyncio.to_thread(_sum_of, home / NAME)
        told = TOLD | {"UPLOADER_ALLOWED_PRIVATE": served.address}
        async with (
            place.stack(home, ["uploader"], told) as stack,
            Log.open(stack.environ, MediaStored, UploadFailed) as log,
        ):
            memory = Memory(stack.describe("uploader").pid or 0)
            idle, extra, speed = memory.now(), [], []
            for number in range(1, rounds + 1):
                say(f"round {number} of {rounds}")
                memory.forget()
                began = perf_counter()
                stored = await _store(log, served, number)
                speed.append(stored.size / MEGABYTE / (perf_counter() - began))
                extra.append((memory.peak() - idle) / MEGABYTE)
                if stored.sha256 != made:
                    raise NoFigureError(f"{stored.key} was stored with other bytes than were made")
    figures = [
        Figure("extra memory", "MB", extra),
        Figure("extra memory / size", "", [each * MEGABYTE / size for each in extra]),
        Figure("idle memory", "MB", [idle / MEGABYTE]),
        Figure("stage", "MB/s", speed),
    ]
    return Report("storing_large", WHAT, {"bytes": size, "rounds": rounds}, figures)


async def _store(log: Log, served: Source, number: int) -> MediaStored:
    """The fact that the video is stored."""
    generated = MediaGenerated.say(
        job_id_of("bench", f"large/{number}"), "bench", utc_now(), index=0, generation=0, attempt=1, provider="bench",
        output_format="mp4", source=UrlSource(url=served.url(NAME)),
    )  # fmt: skip
    await log.say([generated])
    async for fact in log.hear():
        if isinstance(fact, MediaStored):
            return fact
        if isinstance(fact, UploadFailed):
            raise NoFigureError(f"the video could not be stored: {fact.code}, {fact.message}")
    raise AssertionError("a log has no end")


def _sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
