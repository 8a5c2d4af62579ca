"""Each local server, started from its Part as plainly as can be: does it keep what it was given over a kill?"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from botocore.exceptions import ClientError

from darkroom.local.kafka import kafka_part
from darkroom.local.part import LocalError, Part
from darkroom.local.ports import claim
from darkroom.local.postgres import admin_url, postgres_part
from darkroom.local.postgres_place import discard
from darkroom.local.prepare import group_of
from darkroom.local.s3 import s3_part

# Kafka needs about 3 s after a kill and the others a tenth of one; a busy machine may take its time.
PATIENCE = 30.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    discard(tmp_path)


def started(part: Part) -> subprocess.Popen[bytes]:
    drop_to = {"user": part.user, "group": group_of(part.user), "extra_groups": []} if part.user else {}
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        part.argv,
        env=dict(part.env),
        cwd=part.cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **drop_to,
    )


@asynccontextmanager
async def running(part: Part) -> AsyncIterator[subprocess.Popen[bytes]]:
    """The server of `part`, ready; stopped as it wants to be, unless the test has killed it."""
    server = started(part)
    try:
        async with asyncio.timeout(PATIENCE):
            while not await part.ready():
                assert server.poll() is None, f"{part.name} ended with {server.returncode}"
                await asyncio.sleep(0.05)
        yield server
    finally:
        server.send_signal(part.stop_signal)
        await asyncio.to_thread(server.wait, PATIENCE)


async def killed(server: subprocess.Popen[bytes]) -> None:
    server.kill()
    await asyncio.to_thread(server.wait, PATIENCE)


async def test_kafka_keeps_its_records_over_a_kill_and_a_change_of_ports(home: Path) -> None:
    first = kafka_part(home, claim("kafka"), claim("kafka-controller"), os.environ)
    async with running(first) as server:
        await make_topic(first.url, "facts")
        await publish(first.url, "facts", b"before the kill")
        await killed(server)

    second = kafka_part(home, claim("kafka"), claim("kafka-controller"), os.environ)
    async with running(second):
        await publish(second.url, "facts", b"after it")
        kept = await read(second.url, "facts", 2)

    assert kept == [b"before the kill", b"after it"]


async def test_kafka_does_not_open_a_log_of_another_cluster(home: Path) -> None:
    kafka_part(home, claim("kafka"), claim("kafka-controller"), os.environ)
    meta = home / "kafka" / "data" / "meta.properties"
    meta.write_text(meta.read_text().replace("cluster.id=", "cluster.id=another"))

    with pytest.raises(LocalError, match=r"cannot be used: it belongs to cluster another.*Move"):
        kafka_part(home, claim("kafka"), claim("kafka-controller"), os.environ)


async def test_kafka_starts_when_a_kill_left_its_log_half_formatted(home: Path) -> None:
    (home / "kafka" / "data.new").mkdir(parents=True)
    (home / "kafka" / "data.new" / "meta.properties").write_text("half")

    part = kafka_part(home, claim("kafka"), claim("kafka-controller"), os.environ)

    async with running(part):
        assert await read_topics(part.url) == set()


async def test_postgres_keeps_what_was_committed_over_a_kill(home: Path) -> None:
    port = claim("postgres")
    part = postgres_part(home, port, os.environ)
    async with running(part) as server:
        session = await asyncpg.connect(admin_url(home, port))
        await session.execute("CREATE TABLE kept AS SELECT 'before the kill' AS word")
        await killed(server)
        session.terminate()

    async with running(postgres_part(home, port, os.environ)):
        session = await asyncpg.connect(admin_url(home, port))
        kept = await session.fetchval("SELECT word FROM kept")
        version = await session.fetchval("SHOW server_version")
        await session.close()

    assert kept == "before the kill"
    assert version.startswith("18.")


async def test_postgres_lets_nobody_in_without_the_password(home: Path) -> None:
    port = claim("postgres")
    part = postgres_part(home, port, os.environ)

    async with running(part):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(part.url, password="a guess")

    assert (home / "postgres" / "password").stat().st_mode & 0o077 == 0


async def test_postgres_is_not_fooled_by_a_dead_servers_pid_that_lives_again(home: Path) -> None:
    port = claim("postgres")
    lock = home / "postgres" / "cluster" / "data" / "postmaster.pid"
    async with running(postgres_part(home, port, os.environ)) as server:
        written = lock.read_text()
        await killed(server)
    lock.write_text(written.replace(str(server.pid), str(os.getpid()), 1))

    async with running(postgres_part(home, port, os.environ)):
        pass


async def test_postgres_that_still_runs_on_the_data_is_named_by_its_pid(home: Path) -> None:
    port = claim("postgres")

    async with running(postgres_part(home, port, os.environ)) as server:
        with pytest.raises(LocalError, match=rf"pid {server.pid}\) still runs"):
            postgres_part(home, port, os.environ)


async def test_postgres_starts_when_a_kill_left_its_cluster_half_made(home: Path) -> None:
    port = claim("postgres")
    postgres_part(home, port, os.environ)
    data = (home / "postgres" / "cluster" / "data").resolve()
    data.rename(data.with_name("data.new"))

    part = postgres_part(home, port, os.environ)

    async with running(part):
        pass
    assert not data.with_name("data.new").exists()


async def test_postgres_of_another_version_is_refused_with_both_versions(home: Path) -> None:
    postgres_part(home, claim("postgres"), os.environ)
    (home / "postgres" / "cluster" / "data" / "PG_VERSION").write_text("17\n")

    with pytest.raises(LocalError, match="made by PostgreSQL 17, and this is 18"):
        postgres_part(home, claim("postgres"), os.environ)


async def test_postgres_programs_that_are_not_there_are_named(home: Path) -> None:
    with pytest.raises(LocalError, match=r"/nowhere/postgres is not there; correct DARKROOM_POSTGRES_BIN"):
        postgres_part(home, claim("postgres"), {"DARKROOM_POSTGRES_BIN": "/nowhere"})


async def test_s3_keeps_its_objects_over_a_kill(home: Path) -> None:
    part = s3_part(home, claim("s3"), "access", "secret", os.environ)
    async with running(part) as server:
        async with client(part.url, "secret") as s3:
            await s3.create_bucket(Bucket="media")
            await s3.put_object(Bucket="media", Key="jobs/1/0.png", Body=b"a picture")
        await killed(server)

    async with running(part), client(part.url, "secret") as s3:
        answer = await s3.get_object(Bucket="media", Key="jobs/1/0.png")
        kept = await answer["Body"].read()

    assert kept == b"a picture"


async def test_s3_knows_its_secret_refuses_another_and_shows_it_to_nobody(home: Path) -> None:
    part = s3_part(home, claim("s3"), "access", "the-secret", os.environ)

    async with running(part) as server, client(part.url, "a-guess") as s3:
        with pytest.raises(ClientError):
            await s3.list_buckets()
        command_line = " ".join(psutil.Process(server.pid).cmdline())

    assert "the-secret" not in command_line


async def make_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def read_topics(bootstrap: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def publish(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    """The first `count` values of the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    async with consumer, asyncio.timeout(PATIENCE):
        return [(await consumer.getone()).value for _ in range(count)]


def client(url: str, secret: str) -> AbstractAsyncContextManager[Any]:
    return get_session().create_client(  # type: ignore[no-any-return]
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="access",
        aws_secret_access_key=secret,
        config=AioConfig(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )
