"""The whole system with a store and a provider that go wrong as they are told, and uploaders that tests start."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from darkroom.local.home import make_home
from darkroom.local.keeper import Keeper
from darkroom.local.ports import claim
from darkroom.local.services import service_part
from darkroom.local.stack import Stack, silent
from darkroom.local.supervisor import Supervisor
from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.media import draw
from schemas.clock import utc_now
from schemas.events import Event, MediaStored, RetryRequested
from tests.pipeline.driver import DEADLINE, Json, Pipeline, until
from tests.strange_store import StrangeStore

FLUX = "black-forest-labs/flux-schnell"
SIDE, SEED = 256, 11
UPLOADER, TENANT = "uploader-1", "dev"

SWIFT = {
    # What takes minutes in life takes seconds here.
    "INITIAL_RETRY_DELAY": "0.1",
    "MAX_RETRY_DELAY": "0.5",
    "UPLOADER_STORE_TIMEOUT": "PT1S",
    "GENERATOR_RATE_PER_MINUTE": "replicate=60000",
}


@dataclass(frozen=True)
class Made:
    """A job whose outputs exist at the provider, and are paid. `sums` are theirs."""

    job_id: UUID
    prompt: str
    sums: Sequence[str]


class Site:
    """All that a test can reach. What it broke is mended after it; its uploader may be used by the next."""

    def __init__(
        self, servers: Stack, services: Stack, pipeline: Pipeline, store: StrangeStore, replicate: ReplicateSimulator
    ) -> None:
        self.servers, self.services, self.pipeline = servers, services, pipeline
        self.store, self.replicate = store, replicate
        self._spool = Path(services.environ["UPLOADER_SPOOL_DIR"]) / UPLOADER
        self._supervisor: Supervisor | None = None
        self._settings: dict[str, str] = {}

    async def uploader(self, **told: str) -> Keeper:
        """The uploader, told this beside the usual; it runs. One that was told the same goes on.

        All go by one name: Kafka would wait half a minute for one that is no more.
        """
        if self._supervisor is None or self._settings != told:
            await self.close()
            home = self.services.home / UPLOADER
            make_home(home)
            self._supervisor, self._settings = Supervisor(home, silent), told
            environ = {**self.services.environ, **told}
            await self._supervisor.start(service_part(UPLOADER, "uploader", claim(UPLOADER), environ), 0)
        keeper = self._supervisor.keeper(UPLOADER)
        await keeper.start()
        return keeper

    async def close(self) -> None:
        """End the uploader."""
        if self._supervisor is not None:
            await self._supervisor.stop()
        self._supervisor = None

    async def mend(self) -> None:
        """Nothing is wrong any more."""
        self.store.recovers()
        self.replicate.use()
        await self.servers.start("s3")

    @asynccontextmanager
    async def unwritable(self, table: str) -> AsyncIterator[None]:
        """Whoever writes to this table waits until the end of the block."""
        async with self.pipeline.admin.transaction():
            await self.pipeline.admin.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            yield

    async def make(self, outputs: int = 1, side: int = SIDE) -> Made:
        """A job of so many pictures, as soon as the provider has made them."""
        prompt = f"a slate quarry {uuid4()}"
        job_id = await self.pipeline.submit(
            model=FLUX, prompt=prompt, num_outputs=outputs, seed=SEED, output_format="png",
            input={"width": side, "height": side},
        )  # fmt: skip
        await self.pipeline.call_in("SUCCEEDED", job_id)
        pictures = (draw(FLUX, prompt, SEED, index, "png", (side, side)) for index in range(outputs))
        return Made(job_id, prompt, [hashlib.sha256(picture).hexdigest() for picture in pictures])

    async def waits(self, made: Made, cause: str) -> Json:
        """The job once its status says of some outputs that they wait because of this, and of none that it moves on."""
        job: Json = {}

        async def told() -> bool:
            job.update(await self.pipeline.status(made.job_id))
            waiting = [media["cause"] or "" for media in job["media"] if media["status"] not in ("COMPLETED", "FAILED")]
            return bool(waiting) and all(cause in words for words in waiting)

        await until(told, DEADLINE, f"job {made.job_id} to wait because of {cause}")
        return job

    async def end_of(self, made: Made, revision: int = 1, calls: int = 1) -> Json:
        """The job once it is done. What is stored is what was made, said once, and paid with so many calls."""
        job = await self.pipeline.end_of(made.job_id, revision=revision)
        stored = {media["index"]: media["sha256"] for media in job["media"] if media["status"] == "COMPLETED"}
        assert stored == {index: made.sums[index] for index in stored}
        assert await self.pipeline.served(job) == stored
        said = [(fact.revision, fact.index) for fact in await self.pipeline.facts(MediaStored, made.job_id)]
        assert len(said) == len(set(said))
        assert sum(entry.input.get("prompt") == made.prompt for entry in self.replicate.bill().entries) == calls
        return job

    async def said(self, kind: type[Event], made: Made, count: int = 1) -> None:
        """Return once so many facts of this kind are in the log."""

        async def there() -> bool:
            return len(await self.pipeline.facts(kind, made.job_id)) >= count

        await until(there, DEADLINE, f"{count} {kind.topic} of job {made.job_id}")

    async def objects(self, made: Made) -> dict[str, tuple[int, str]]:
        """What the bucket holds of a job, with sizes and times."""
        everything = await self.pipeline.objects()
        return {key: about for key, about in everything.items() if str(made.job_id) in key}

    def spooled(self, made: Made) -> list[Path]:
        """The files in the spool that hold a job's outputs."""
        return list(self._spool.glob(f"{made.job_id}.*"))

    async def unspooled(self, made: Made) -> None:
        """Return once they are removed, which comes after it is said that they are stored."""

        async def removed() -> bool:
            return self.spooled(made) == []

        await until(removed, DEADLINE, f"the spool files of job {made.job_id} to be removed")

    async def retry(self, made: Made, revision: int = 2, start: str = "store") -> None:
        """Ask for all outputs of a job once more, as the gateway says it."""
        redo = tuple({"index": index, "from": start} for index in range(len(made.sums)))
        fact = RetryRequested.say(made.job_id, TENANT, utc_now(), revision=revision, outputs=redo)
        await self.pipeline.say(fact)


@asynccontextmanager
async def site(servers: Stack) -> AsyncIterator[Site]:
    """Every service but the uploader, on these servers, which must be filled. Services see the store as told."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(StrangeStore.before(servers.environ["S3_ENDPOINT_URL"]))
        replicate = await stack.enter_async_context(
            ReplicateSimulator(queue_seconds=0.02, run_seconds=0.02, creates_per_minute=60_000)
        )
        told = {
            **servers.environ, **SWIFT, "S3_ENDPOINT_URL": store.url, "REPLICATE_BASE_URL": replicate.url,
            "REPLICATE_WEBHOOK_SECRET": replicate.webhook_secret,
            "UPLOADER_ALLOWED_PRIVATE": replicate.url.removeprefix("http://"),
        }  # fmt: skip
        home = servers.home / "services"
        services = await stack.enter_async_context(Stack(home, servers=False, replicas={"uploader": 0}, environ=told))
        pipeline = await stack.enter_async_context(Pipeline.reach(services))
        here = Site(servers, services, pipeline, store, replicate)
        stack.push_async_callback(here.close)
        yield here
