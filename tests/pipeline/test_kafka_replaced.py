"""Kafka's data replaced while a ledger runs: it stops and says so, and its tables stay what they were."""

import asyncio
import shutil
import sys

import asyncpg
from sqlalchemy.engine import make_url

from darkroom.local.kafka import kafka_part
from darkroom.local.ports import claim
from darkroom.local.stack import Stack
from darkroom.steps import apply_topics
from schemas.wire import encode
from stage.kafka import producer, publish
from stage.settings import KafkaSettings
from tests.builders import a_request
from tests.pipeline.driver import until


async def say_a_job(servers: Stack) -> None:
    async with producer(KafkaSettings.model_validate(servers.environ), "test") as client:
        await publish(client, [encode(a_request(), source="test")])


async def replace_kafka(servers: Stack) -> None:
    """The same address, the same topics, another cluster's empty log."""
    await servers.stop("kafka")
    shutil.rmtree(servers.home / "kafka" / "data")
    port = servers.ports
    await asyncio.to_thread(kafka_part, servers.home, port["kafka"], port["kafka-controller"], servers.environ)
    await servers.start("kafka")
    await apply_topics(servers.environ)


async def test_a_ledger_whose_log_is_replaced_under_it_stops_and_says_so(servers: Stack) -> None:
    url = make_url(servers.environ["DARKROOM_ADMIN_DATABASE_URL"]).set(database="darkroom")
    admin = await asyncpg.connect(url.render_as_string(hide_password=False))

    async def heard() -> bool:
        return bool(await admin.fetchval("SELECT count(*) FROM ledger.facts"))

    await say_a_job(servers)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ledger_service", env={**servers.environ, "LEDGER_PORT": str(claim("ledger", None))},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        await until(heard, 30, "the ledger to hear a job")
        before = await admin.fetch("SELECT * FROM ledger.facts"), await admin.fetch("SELECT * FROM ledger.offsets")
        await replace_kafka(servers)
        await say_a_job(servers)
        said, _ = await asyncio.wait_for(process.communicate(), 90)
    finally:
        if process.returncode is None:
            process.kill()

    after = await admin.fetch("SELECT * FROM ledger.facts"), await admin.fetch("SELECT * FROM ledger.offsets")
    await admin.close()
    assert process.returncode == 1
    assert "Kafka's data was replaced" in said.decode()
    assert after == before
