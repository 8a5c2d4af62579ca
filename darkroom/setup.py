"""What has to be there before the services start: database, roles and schemas, migrations, topics, bucket.

Each step may be run again at any time, by several at once; what is there already stays as it is.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code
from alembic import command
from alembic.config import Config
from botocore.exceptions import ClientError
from sqlalchemy.engine import make_url

from darkroom.steps import WITH_TABLES, package_of
from schemas.topics import Topic, topics
from stage.bucket import BucketSettings, bucket_client
from stage.settings import KafkaSettings

ROOT = Path(__file__).parent.parent
READER = "gateway"
VIEWS = "ledger_v1"
LOCK = "hashtext('darkroom setup')"


class SetupError(Exception):
    """A step cannot be done: names the cause and the cure."""


async def prepare_database(admin_url: str, urls: Mapping[str, str]) -> None:
    """Make the database, a role for each service with the password of its URL, and each service's schema.

    `urls` maps generator, uploader, ledger and gateway to the URLs they connect with. The gateway's role may
    read the ledger's published views, and nothing else that is not its own. A password that changed is set anew.
    """
    database = str(make_url(urls["ledger"]).database)
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(f"SELECT pg_advisory_lock({LOCK})")
        await _roles(admin, urls)
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await admin.execute(f"CREATE DATABASE {_name(database)}")
    finally:
        await admin.close()
    inside = await asyncpg.connect(make_url(admin_url).set(database=database).render_as_string(hide_password=False))
    try:
        await inside.execute(_schemas(urls, database))
    finally:
        await inside.close()


async def _roles(admin: "asyncpg.Connection[asyncpg.Record]", urls: Mapping[str, str]) -> None:
    for url in urls.values():
        parts = make_url(url)
        role, password = _name(str(parts.username)), await admin.fetchval("SELECT quote_literal($1)", parts.password)
        if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", parts.username):
            await admin.execute(f"CREATE ROLE {role} LOGIN")
        await admin.execute(f"ALTER ROLE {role} LOGIN PASSWORD {password}")


def _schemas(urls: Mapping[str, str], database: str) -> str:
    role = {service: _name(str(make_url(url).username)) for service, url in urls.items()}
    owned = [(service, role[service]) for service in WITH_TABLES] + [(VIEWS, role["ledger"])]
    grants = "".join(
        f"GRANT {owner} TO CURRENT_USER; CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner};"
        for schema, owner in owned
    )
    return f"""
        SELECT pg_advisory_xact_lock({LOCK});
        REVOKE ALL ON DATABASE {_name(database)} FROM PUBLIC;
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
        GRANT CONNECT ON DATABASE {_name(database)} TO {", ".join(role.values())};
        {grants}
        GRANT USAGE ON SCHEMA {VIEWS} TO {role[READER]};
        ALTER DEFAULT PRIVILEGES FOR ROLE {role["ledger"]} IN SCHEMA {VIEWS} GRANT SELECT ON TABLES TO {role[READER]};
    """  # noqa: S608 - names, quoted


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def alembic_config(service: str, url: str = "") -> Config:
    """How alembic finds the migrations of `service`, one of `WITH_TABLES`."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / package_of(service) / "migrations"))
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(url).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def sqlalchemy_url(url: str) -> str:
    """A service's URL as SQLAlchemy wants it, with the driver named."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False) if url else ""


async def migrate(urls: Mapping[str, str]) -> None:
    """Bring each service's schema up to date, as its own role. `urls` as in `prepare_database`."""
    for service in WITH_TABLES:
        if service in urls:
            await asyncio.to_thread(command.upgrade, alembic_config(service, urls[service]), "head")


async def apply_topics(access: KafkaSettings, replication: int) -> list[str]:
    """Make the topics that are missing and set the settings of those that are there. Returns the names made.

    Raises `SetupError` for a topic with another number of partitions: its keys would go elsewhere.
    """
    admin = AIOKafkaAdminClient(**access.kafka_client_options())
    await admin.start()
    try:
        wanted = {topic.name: topic for topic in topics(replication)}
        there = await admin.list_topics()
        missing = [topic for name, topic in wanted.items() if name not in there]
        await _create(admin, missing, replication)
        await _compare(admin, [topic for name, topic in wanted.items() if name in there])
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, missing: list[Topic], replication: int) -> None:
    if not missing:
        return
    answer = await admin.create_topics(
        [NewTopic(t.name, t.partitions, replication, topic_configs=t.config) for t in missing]
    )
    for name, code, *_ in answer.topic_errors:
        if code not in (0, 36):  # 36: somebody else made it meanwhile
            raise SetupError(f"Kafka refuses topic {name}: {for_code(code).__name__}")


async def _compare(admin: AIOKafkaAdminClient, there: list[Topic]) -> None:
    if not there:
        return
    found = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics([t.name for t in there])}
    for topic in there:
        if found[topic.name] != topic.partitions:
            raise SetupError(
                f"topic {topic.name} has {found[topic.name]} partitions, not {topic.partitions}: "
                "a keyed topic cannot be resized; use an empty cluster or another one"
            )
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=topic.config) for topic in there]
    )


async def create_bucket(*, endpoint_url: str, access_key: str, secret_key: str, bucket: str, region: str) -> bool:
    """Make the bucket unless it is there. Returns whether it was made."""
    settings = BucketSettings.model_validate({
        "S3_ENDPOINT_URL": endpoint_url, "S3_ACCESS_KEY_ID": access_key, "S3_SECRET_ACCESS_KEY": secret_key,
        "S3_BUCKET_NAME": bucket, "S3_REGION": region,
    })  # fmt: skip
    async with bucket_client(settings, connections=1) as client:
        try:
            await client.head_bucket(Bucket=bucket)
        except ClientError as refused:
            if refused.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise SetupError(
                    f"the store at {endpoint_url or 'AWS'} refuses bucket {bucket} "
                    f"({refused.response['Error']['Code']}): check S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY"
                ) from None
        else:
            return False
        try:
            await client.create_bucket(Bucket=bucket)
        except ClientError as refused:
            if refused.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise
        return True
