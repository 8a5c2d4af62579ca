"""The one-shot steps before the services start, each told by the environment alone. Repeating one changes nothing.

`darkroom.setup` does the work; it is imported once the settings are there, for it takes a second.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

SERVICES = ("gateway", "generator", "uploader", "ledger")
STAGES = ("generator", "uploader", "ledger")  # those that hear facts
WITH_TABLES = ("gateway", *STAGES)
ADMIN_DATABASE = "DARKROOM_ADMIN_DATABASE_URL"
REPLICATION = "KAFKA_TOPIC_REPLICATION"


class WrongSettingError(Exception):
    """A setting was not given, or makes no sense: names it."""


def need(environ: Mapping[str, str], name: str) -> str:
    """The setting of that name. `WrongSettingError` when it is not there or empty."""
    if not environ.get(name):
        raise WrongSettingError(f"{name} is not set: give it in the environment or in .env.development.local")
    return environ[name]


def package_of(service: str) -> str:
    """The package that holds a service's code."""
    return service if service == "gateway" else f"{service}_service"


def database_setting(service: str) -> str:
    """The name of the setting that says where a service's database is."""
    return f"{service.upper()}_DATABASE_URL"


async def prepare_database(environ: Mapping[str, str]) -> None:
    """The database, and a role for each service with its password."""
    admin_url, urls = need(environ, ADMIN_DATABASE), _database_urls(environ, SERVICES)
    from darkroom import setup

    with _reaching("PostgreSQL", ADMIN_DATABASE):
        await setup.prepare_database(admin_url, urls)


async def migrate(environ: Mapping[str, str], services: Iterable[str] = WITH_TABLES) -> None:
    """The newest tables of these services."""
    urls = _database_urls(environ, services)
    from darkroom import setup

    with _reaching("PostgreSQL", "each DATABASE_URL"):
        await setup.migrate(urls)


async def apply_topics(environ: Mapping[str, str]) -> None:
    """Every topic, with the settings it must have."""
    need(environ, "KAFKA_BOOTSTRAP_SERVERS")
    copies = environ.get(REPLICATION) or "3"  # what production needs: fewer must be asked for
    if not (copies.isascii() and copies.isdigit() and int(copies)):
        raise WrongSettingError(f"{REPLICATION} is {copies!r}: give the number of copies")
    from darkroom import setup
    from stage.settings import KafkaSettings

    try:
        access = KafkaSettings.model_validate(environ)
    except ValueError as wrong:
        raise WrongSettingError(f"a KAFKA_ setting is wrong: {wrong}") from wrong
    with _reaching("Kafka", "KAFKA_BOOTSTRAP_SERVERS"):
        await setup.apply_topics(access, int(copies))


async def create_bucket(environ: Mapping[str, str]) -> None:
    """The bucket the media go to."""
    store = {
        "endpoint_url": environ.get("S3_ENDPOINT_URL", ""),  # none means AWS
        "access_key": need(environ, "S3_ACCESS_KEY_ID"),
        "secret_key": need(environ, "S3_SECRET_ACCESS_KEY"),
        "bucket": need(environ, "S3_BUCKET_NAME"),
        "region": environ.get("S3_REGION") or "us-east-1",
    }
    from darkroom import setup

    with _reaching("the S3 store", "S3_ENDPOINT_URL"):
        await setup.create_bucket(**store)


async def prepare_tables(environ: Mapping[str, str]) -> None:
    """The database, its roles, and the newest tables."""
    await prepare_database(environ)
    await migrate(environ)


async def prepare_everything(environ: Mapping[str, str]) -> None:
    """All of them, side by side."""
    await asyncio.gather(prepare_tables(environ), apply_topics(environ), create_bucket(environ))


@contextmanager
def _reaching(whom: str, setting: str) -> Iterator[None]:
    """Say in one line who could not be reached, or did not let us in, and which setting led there."""
    from aiokafka.errors import KafkaConnectionError
    from asyncpg import InvalidAuthorizationSpecificationError
    from botocore.exceptions import HTTPClientError

    from darkroom.setup import SetupError

    try:
        yield
    except (OSError, KafkaConnectionError, HTTPClientError) as error:
        raise SetupError(f"{whom} cannot be reached: does it run where {setting} says?") from error
    except InvalidAuthorizationSpecificationError as error:
        raise SetupError(f"{whom} does not let us in ({error}): correct user and password in {setting}") from error


def _database_urls(environ: Mapping[str, str], services: Iterable[str]) -> dict[str, str]:
    return {service: need(environ, database_setting(service)) for service in services}
