"""Where going on would skip, repeat or let in: the service stops, and one line says why."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from sqlalchemy.engine import make_url

from darkroom.local.ports import claim
from darkroom.local.services import healthy
from darkroom.local.stack import Stack
from schemas.events import GenerationFailed
from schemas.identity import partition_of
from tests.freezing import frozen
from tests.pipeline.driver import until

SERVICES = {
    "gateway": "gateway",
    "generator": "generator_service",
    "uploader": "uploader_service",
    "ledger": "ledger_service",
}


async def ran(service: str, stack: Stack, **environ: str | None) -> tuple[int, str]:
    """The exit code of a service that is expected to end by itself, and all it said."""
    told = {**stack.environ, f"{service.upper()}_PORT": str(claim(service, None)), **environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", SERVICES[service], env={name: value for name, value in told.items() if value is not None},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, said.decode()


@pytest.fixture
async def admin(servers: Stack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A superuser's connection; what services had read is forgotten after the test."""
    url = make_url(servers.environ["DARKROOM_ADMIN_DATABASE_URL"]).set(database="darkroom")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    yield connection
    await connection.execute("TRUNCATE ledger.offsets, uploader.offsets, generator.offsets")
    await connection.close()


async def produce(stack: Stack, topic: str, key: bytes, value: bytes) -> None:
    """Put one record where its key belongs."""
    producer = AIOKafkaProducer(bootstrap_servers=stack.environ["KAFKA_BOOTSTRAP_SERVERS"])
    await producer.start()
    await producer.send_and_wait(topic, value, key, partition_of(key))
    await producer.stop()


async def test_a_fact_of_a_newer_version_stops_the_reader_before_it(
    servers: Stack, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    key = str(uuid4()).encode()
    value = {"v": 2, "type": "generation.failed", "job_id": key.decode()}
    await produce(servers, GenerationFailed.topic, key, json.dumps(value).encode())

    code, said = await ran("ledger", servers)

    following = await admin.fetchval(
        "SELECT next FROM ledger.offsets WHERE topic = $1 AND partition = $2", GenerationFailed.topic, partition_of(key)
    )
    assert code == 1
    assert "generation.failed holds version 2; this reader knows 1: deploy the newer reader first" in said
    assert following == 0


async def test_offsets_beyond_the_end_of_the_log_stop_the_reader(
    servers: Stack, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    cluster = await one_run(servers, admin)
    await admin.execute("INSERT INTO uploader.offsets VALUES ('media.generated', 3, 1000000, $1)", cluster)

    code, said = await ran("uploader", servers)

    assert code == 1
    assert "media.generated-3 was read up to 1000000 but ends at 0: Kafka's data was replaced" in said


async def test_another_cluster_stops_the_reader(servers: Stack, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await admin.execute("INSERT INTO uploader.offsets VALUES ('media.generated', 3, 0, 'another-cluster')")

    code, said = await ran("uploader", servers)

    assert code == 1
    assert "media.generated-3 was read from cluster another-cluster" in said


async def test_a_log_that_was_cut_before_it_was_read_stops_the_reader(
    servers: Stack, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    cluster = await one_run(servers, admin)
    place = await cut(servers, "media.generated")
    await admin.execute("INSERT INTO uploader.offsets VALUES ($1, $2, 0, $3)", *place, cluster)

    code, said = await ran("uploader", servers)

    assert code == 1
    assert f"media.generated-{place.partition} begins at 2, but only up to 0 was read: records are lost" in said


async def test_doorbells_that_expired_unheard_stop_nobody(
    servers: Stack, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await one_run(servers, admin)
    place = await cut(servers, "provider.called_back")
    await admin.execute(
        "UPDATE generator.offsets SET next = 0 WHERE topic = $1 AND partition = $2", place.topic, place.partition
    )

    read = f"SELECT next = 3 FROM generator.offsets WHERE topic = '{place.topic}' AND partition = {place.partition}"

    await one_run(servers, admin, read)


async def cut(servers: Stack, topic: str) -> TopicPartition:
    """Three records that nobody can read, of which the first two are gone: where they lie."""
    key = str(uuid4()).encode()
    place = TopicPartition(topic, partition_of(key))
    for _ in range(3):
        await produce(servers, place.topic, key, b"not a fact")
    kafka = AIOKafkaAdminClient(bootstrap_servers=servers.environ["KAFKA_BOOTSTRAP_SERVERS"])
    await kafka.start()
    await kafka.delete_records({place: RecordsToDelete(before_offset=2)})
    await kafka.close()
    return place


BEGUN = "SELECT count(*) > 0 FROM generator.offsets"


async def one_run(stack: Stack, admin: "asyncpg.Connection[asyncpg.Record]", holds: str = BEGUN) -> str:
    """The id of this cluster, as a generator has written it down that ran until this holds."""
    port = claim("generator", None)
    environ = {**stack.environ, "GENERATOR_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "generator_service", env=environ, stdout=asyncio.subprocess.DEVNULL
    )

    async def written() -> bool:
        return bool(await admin.fetchval(holds))

    await until(written, 30, holds)
    cluster = await admin.fetchval("SELECT cluster_id FROM generator.offsets LIMIT 1")
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 15) == 0
    return str(cluster)


@pytest.mark.usefixtures("admin")
async def test_a_service_that_is_stopped_leaves_a_frozen_postgres_behind(servers: Stack) -> None:
    port = claim("generator", None)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "generator_service", env={**servers.environ, "GENERATOR_PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip

    async def ready() -> bool:
        with suppress(OSError):
            return await healthy(port)
        return False

    await until(ready, 30, "the generator to be ready")
    with frozen(servers):
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 15)

    assert code == 0


@pytest.mark.parametrize(
    ("service", "setting", "value", "words"),
    [
        ("ledger", "LEDGER_DATABASE_URL", None, "ledger: LEDGER_DATABASE_URL: is missing: set it in the environment"),
        ("gateway", "KAFKA_BOOTSTRAP_SERVERS", None, "gateway: KAFKA_BOOTSTRAP_SERVERS: is missing"),
        ("gateway", "GATEWAY_AUTH", "ajar", "gateway: GATEWAY_AUTH: is wrong"),
        ("gateway", "GATEWAY_HOST", "0.0.0.0", "GATEWAY_AUTH=open lets everybody in, so GATEWAY_HOST must be loopback"),
        (
            "generator",
            "MEDIA_GENERATOR_PROVIDER",
            "dall-e",
            "MEDIA_GENERATOR_PROVIDER: 'dall-e' is not known; known: fake",
        ),
        ("generator", "GENERATOR_PORT", "99999", "generator: GENERATOR_PORT: is wrong"),
        ("uploader", "S3_BUCKET_NAME", None, "uploader: S3_BUCKET_NAME: is missing"),
        ("uploader", "LOG_LEVEL", "LOUD", "uploader: LOG_LEVEL: is wrong"),
    ],
)
async def test_a_missing_or_wrong_setting_is_named_in_one_line(
    servers: Stack, service: str, setting: str, value: str | None, words: str
) -> None:
    code, said = await ran(service, servers, **{setting: value})

    assert code == 2
    assert words in said
    assert len(said.splitlines()) == 1
    assert servers.environ["S3_SECRET_ACCESS_KEY"] not in said


async def test_a_taken_port_is_named_in_one_line(servers: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, said = await ran("uploader", servers, UPLOADER_PORT=str(port))

    assert code == 1
    assert f"uploader: cannot listen on 127.0.0.1:{port}: Address already in use: free it or set another port" in said


async def test_a_database_without_tables_is_named(servers: Stack) -> None:
    empty = make_url(servers.environ["DARKROOM_ADMIN_DATABASE_URL"]).render_as_string(hide_password=False)

    code, said = await ran("ledger", servers, LEDGER_DATABASE_URL=empty)

    assert code == 1
    assert "the schema has no tables: run `darkroom database migrate`" in said
