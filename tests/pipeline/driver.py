"""Drives the whole system from outside: over HTTP, and by looking into Kafka, PostgreSQL and S3."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from sqlalchemy.engine import make_url

from darkroom.local.stack import Stack
from generator_service.handlers import TOPICS as GENERATOR_TOPICS
from ledger_service.handlers import TOPICS as LEDGER_TOPICS
from schemas.events import Event
from schemas.topics import topics
from schemas.wire import encode
from stage.bucket import BucketSettings, bucket_client
from stage.kafka import publish
from uploader_service.handlers import TOPICS as UPLOADER_TOPICS

HEARS = {"generator": GENERATOR_TOPICS, "uploader": UPLOADER_TOPICS, "ledger": LEDGER_TOPICS}
WORK = {"generator": "generator.generations", "uploader": "uploader.uploads"}
PROJECTIONS = ("ledger.jobs", "ledger.outputs", "ledger.attempts")
DEADLINE = 60.0

Json = dict[str, Any]
E = TypeVar("E", bound=Event)


class Pipeline:
    """The running system, as its users and operators can reach it."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.stack, self.http, self.admin = stack, http, admin
        self.bootstrap = stack.environ["KAFKA_BOOTSTRAP_SERVERS"]

    @classmethod
    @asynccontextmanager
    async def reach(cls, stack: Stack) -> AsyncIterator["Pipeline"]:
        """Connect to everything."""
        url = make_url(stack.environ["DARKROOM_ADMIN_DATABASE_URL"]).set(database="darkroom")
        admin = await asyncpg.connect(url.render_as_string(hide_password=False))
        async with httpx.AsyncClient(base_url=stack.url("gateway"), timeout=30) as http:
            yield cls(stack, http, admin)
        await admin.close()

    async def submit(self, *, key: str | None = None, **ask: Any) -> UUID:
        """Submit a job and return its id."""
        body = {"model": "fake/painter-batch", "prompt": "a desert at dawn", **ask}
        answer = await self.http.post("/api/v1/generate", json=body, headers={"Idempotency-Key": key} if key else {})
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["job_id"])

    async def status(self, job_id: UUID) -> Json:
        """The job as the API shows it."""
        answer = await self.http.get(f"/api/v1/status/{job_id}")
        assert answer.status_code == 200, answer.text
        shown: Json = answer.json()
        return shown

    async def end_of(self, job_id: UUID, within: float = DEADLINE, *, revision: int = 1) -> Json:
        """The job once it is done, in this revision of it or a later one."""
        job: Json = {}

        async def done() -> bool:
            job.update(await self.status(job_id))
            return bool(job["done"]) and job["revision"] >= revision

        await until(done, within, f"revision {revision} of job {job_id} to be done")
        return job

    async def served(self, job: Json) -> dict[int, str]:
        """The sum of each stored output of a job, as its bytes come out of the bucket by our own link."""
        sums = {}
        async with httpx.AsyncClient() as browser:
            for media in job["media"]:
                if media["content_url"] is not None:
                    link = (await self.http.get(media["content_url"])).headers["location"]
                    content = (await browser.get(link)).raise_for_status().content
                    sums[media["index"]] = hashlib.sha256(content).hexdigest()
        return sums

    async def records(self, *names: str) -> list[ConsumerRecord[bytes, bytes]]:
        """Every record of these topics, or of all, as the log holds them now."""
        wanted = names or tuple(topic.name for topic in topics(1))
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            counts = {topic.name: topic.partitions for topic in topics(1)}
            places = [TopicPartition(name, number) for name in wanted for number in range(counts[name])]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            found: list[ConsumerRecord[bytes, bytes]] = []
            for place in places:
                consumer.seek(place, 0)
            while any([await consumer.position(place) < ends[place] for place in places]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
            return found
        finally:
            await consumer.stop()

    async def facts(self, kind: type[E], job_id: UUID) -> list[E]:
        """What the log says of this kind about a job, in its order; what was said twice alike counts once."""
        key = str(job_id).encode()
        said = {record.value: record for record in await self.records(kind.topic) if record.key == key}
        return [kind.model_validate_json(value) for value in said if value is not None]

    async def reproduce(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        """Produce records again as Kafka UI does: same partition, key, value and headers."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        await producer.start()
        try:
            for record in records:
                await producer.send(
                    record.topic, record.value, record.key, record.partition, headers=list(record.headers)
                )
            await producer.flush()
        finally:
            await producer.stop()

    async def say(self, *facts: Event) -> None:
        """Say facts as the service would that says them."""
        records = [encode(fact, source="test") for fact in facts]
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        await producer.start()
        try:
            await publish(producer, records)
        finally:
            await producer.stop()

    async def calls(self, job_id: UUID) -> list[asyncpg.Record]:
        """The generator's rows of a job: one for each provider call of its plan."""
        return await self.admin.fetch(
            "SELECT * FROM generator.generations WHERE job_id = $1 ORDER BY revision, number", job_id
        )

    async def call_in(self, state: str, job_id: UUID, within: float = DEADLINE) -> asyncpg.Record:
        """The job's latest call, once it is in this state."""

        async def there() -> bool:
            rows = await self.calls(job_id)
            return bool(rows) and rows[-1]["state"] == state

        await until(there, within, f"the call of job {job_id} to be {state}")
        return (await self.calls(job_id))[-1]

    async def settled(self, within: float = DEADLINE) -> None:
        """Return once every service has read its topics to the end, done its work and said what it had to say."""
        await until(self._settled, within, "the system to settle")

    async def _settled(self) -> bool:
        for service in HEARS:
            if await self.admin.fetchval(f"SELECT count(*) FROM {service}.outbox"):
                return False
        for table in WORK.values():
            if await self.admin.fetchval(f"SELECT count(*) FROM {table} WHERE due_at IS NOT NULL"):
                return False
        ends = await self._ends()
        for service, heard in HEARS.items():
            rows = await self.admin.fetch(f"SELECT topic, partition, next FROM {service}.offsets")
            following = {(row["topic"], row["partition"]): row["next"] for row in rows}
            if any(following.get((p.topic, p.partition), 0) < end for p, end in ends.items() if p.topic in heard):
                return False
        return True

    async def _ends(self) -> dict[TopicPartition, int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap)
        await consumer.start()
        try:
            places = [TopicPartition(t.name, n) for t in topics(1) for n in range(t.partitions)]
            return dict(await consumer.end_offsets(places))
        finally:
            await consumer.stop()

    async def projections(self) -> dict[str, str]:
        """A digest of each projection, over every column."""
        digests = {}
        for table in PROJECTIONS:
            rows = await self.admin.fetch(f'SELECT t::text AS row FROM {table} AS t ORDER BY t::text COLLATE "C"')
            digests[table] = hashlib.sha256("\n".join(row["row"] for row in rows).encode()).hexdigest()
        return digests

    async def work_done(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every work row with its attempts: any call or upload made again would show."""
        return {
            table: [
                tuple(row)
                for row in await self.admin.fetch(f"SELECT id, state, attempt, fence FROM {table} ORDER BY id")
            ]
            for table in WORK.values()
        }

    async def objects(self) -> dict[str, tuple[int, str]]:
        """Every object of the bucket with its size and when it was last written."""
        environ = self.stack.environ
        async with bucket_client(BucketSettings.model_validate(environ)) as bucket:
            found = {}
            pages = bucket.get_paginator("list_objects_v2").paginate(Bucket=environ["S3_BUCKET_NAME"])
            async for page in pages:
                for entry in page.get("Contents", []):
                    found[entry["Key"]] = (entry["Size"], entry["LastModified"].isoformat())
            return found


async def until(holds: Callable[[], Coroutine[Any, Any, bool]], within: float, what: str) -> None:
    """Return once it holds; fail, naming what was waited for, when it does not in time."""
    try:
        async with asyncio.timeout(within):
            while not await holds():  # noqa: ASYNC110 - other processes have no event to wait for
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited {within} s for {what}") from None
