"""The same three servers from the images that docker-compose.yml names. Needs a Docker engine."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import yaml
from aiobotocore.session import get_session

from darkroom.local.ports import claim
from stage.kafka import cluster_id
from stage.settings import KafkaSettings

COMPOSE = Path(__file__).parent.parent / "docker-compose.yml"
PASSWORD = "in-containers"
START_SECONDS = 120


@asynccontextmanager
async def servers_in_containers() -> AsyncIterator[dict[str, str]]:
    """The settings that lead to fresh containers of Kafka, PostgreSQL and S3, which end with the context."""
    ports = {name: claim(name, None) for name in ("kafka", "postgres", "s3")}
    images = {
        name: part["image"] for name, part in yaml.safe_load(COMPOSE.read_text())["services"].items() if "image" in part
    }
    with ExitStack() as running:
        await asyncio.to_thread(_start, running, images, ports)
        addresses = _addresses(ports)
        async with asyncio.timeout(START_SECONDS):
            await _answering(addresses)
        yield addresses


def _start(running: ExitStack, images: Mapping[str, str], ports: Mapping[str, int]) -> None:
    from testcontainers.core.container import DockerContainer  # importing it looks for an engine

    kafka = DockerContainer(images["kafka"]).with_bind_ports(ports["kafka"], ports["kafka"])
    for name, value in {
        "CLUSTER_ID": "ZGFya3Jvb20tdGVzdHMtMDAwMQ",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{ports['kafka']},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{ports['kafka']}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }.items():
        kafka = kafka.with_env(name, value)
    postgres = DockerContainer(images["postgres"]).with_bind_ports(5432, ports["postgres"])
    store = DockerContainer(images["s3"]).with_bind_ports(9000, ports["s3"]).with_command("posix /tmp")
    running.enter_context(kafka)
    running.enter_context(postgres.with_env("POSTGRES_PASSWORD", PASSWORD))
    running.enter_context(
        store.with_env("ROOT_ACCESS_KEY_ID", "darkroom").with_env("ROOT_SECRET_ACCESS_KEY", PASSWORD)
        .with_env("VGW_PORT", ":9000")
    )  # fmt: skip


def _addresses(ports: Mapping[str, int]) -> dict[str, str]:
    database = f"127.0.0.1:{ports['postgres']}/darkroom"
    roles = ("gateway", "generator", "uploader", "ledger")
    return {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{ports['kafka']}",
        "DARKROOM_ADMIN_DATABASE_URL": f"postgresql://postgres:{PASSWORD}@127.0.0.1:{ports['postgres']}/postgres",
        **{f"{role.upper()}_DATABASE_URL": f"postgresql://{role}:{PASSWORD}@{database}" for role in roles},
        "S3_ENDPOINT_URL": f"http://127.0.0.1:{ports['s3']}",
        "S3_PUBLIC_ENDPOINT_URL": f"http://127.0.0.1:{ports['s3']}",
        "S3_ACCESS_KEY_ID": "darkroom",
        "S3_SECRET_ACCESS_KEY": PASSWORD,
    }


async def _answering(addresses: Mapping[str, str]) -> None:
    """Return once all three answer."""
    await _until(lambda: cluster_id(KafkaSettings.model_validate(addresses)))

    async def postgres() -> None:
        await (await asyncpg.connect(addresses["DARKROOM_ADMIN_DATABASE_URL"])).close()

    async def store() -> None:
        async with get_session().create_client(
            "s3", endpoint_url=addresses["S3_ENDPOINT_URL"], region_name="us-east-1",
            aws_access_key_id=addresses["S3_ACCESS_KEY_ID"], aws_secret_access_key=addresses["S3_SECRET_ACCESS_KEY"],
        ) as client:  # fmt: skip
            await client.list_buckets()

    await _until(postgres)
    await _until(store)


async def _until(ask: object) -> None:
    while True:
        try:
            await ask()  # type: ignore[operator]
        except Exception:  # noqa: BLE001 - whatever it is, the server is not up yet; the caller's deadline ends it
            await asyncio.sleep(0.5)
        else:
            return
