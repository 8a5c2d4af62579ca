"""The four services as parts of the local stack, and what they must be told. Pure but for the health check."""

import sys
from collections.abc import Mapping
from functools import partial

from darkroom.local.part import Part
from darkroom.local.ports import HOST
from darkroom.local.prepare import exchange
from darkroom.steps import REPLICATION, SERVICES, database_setting, package_of

ACCESS_KEY = "darkroom"  # the name of the local S3's one key pair

# What the services are told when nobody says otherwise.
DEFAULTS = {
    "GATEWAY_AUTH": "open",
    "MEDIA_GENERATOR_PROVIDER": "fake",
    "S3_BUCKET_NAME": "media-generation",
    "S3_REGION": "us-east-1",
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "json",
    "PYTHONUNBUFFERED": "1",
}


def instance(service: str, number: int) -> str:
    """The name of a replica: `generator-1`, `generator-2`. The first gateway is just `gateway`: people talk to it."""
    return service if (service, number) == ("gateway", 1) else f"{service}-{number}"


def instances(replicas: Mapping[str, int]) -> dict[str, str]:
    """Every replica to run, by name, with its service: one of each where `replicas` names no other count."""
    return {
        instance(service, number): service for service in SERVICES for number in range(1, replicas.get(service, 1) + 1)
    }


def full_name(name: str) -> str:
    """The part a person means: `generator` is the first of them."""
    return instance(name, 1) if name in SERVICES else name


def connections(ports: Mapping[str, int], passwords: Mapping[str, str]) -> dict[str, str]:
    """The settings that say where the local Kafka, PostgreSQL and S3 are. They win over any that were given."""
    s3_url = f"http://{HOST}:{ports['s3']}"
    database = f"{HOST}:{ports['postgres']}/darkroom"
    return {
        "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{ports['kafka']}",
        REPLICATION: "1",  # there is one broker
        **{database_setting(role): f"postgresql://{role}:{passwords[role]}@{database}" for role in SERVICES},
        "S3_ENDPOINT_URL": s3_url,
        "S3_PUBLIC_ENDPOINT_URL": s3_url,
        "S3_ACCESS_KEY_ID": ACCESS_KEY,
        "S3_SECRET_ACCESS_KEY": passwords["s3"],
    }


def media_hosts(ports: Mapping[str, int], environ: Mapping[str, str]) -> dict[str, str]:
    """The setting that lets uploaders fetch the fake provider's media: they lie at the generators themselves. What
    `environ` allows stays allowed.
    """
    hosts = [f"{HOST}:{port}" for name, port in ports.items() if name.startswith("generator-")]
    given = environ.get("UPLOADER_ALLOWED_PRIVATE", "")
    return {"UPLOADER_ALLOWED_PRIVATE": ",".join([*filter(None, [given]), *hosts])}


def callbacks(ports: Mapping[str, int], key: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The settings by which providers can call back, where `environ` does not say: the gateway of this machine, and a
    key of our own that proves the path.

    The real Replicate refuses calls that name an address without https, so there is none for it: calls are polled.
    """
    simulated = environ.get("REPLICATE_BASE_URL", "").startswith("http://")
    heard = simulated or not environ.get("REPLICATE_API_TOKEN")
    own = {"CALLBACK_BASE_URL": f"http://{HOST}:{ports['gateway']}" if heard else "", "CALLBACK_KEYS": f"local={key}"}
    return own | {name: environ[name] for name in own if name in environ}


def service_part(name: str, service: str, port: int, environ: Mapping[str, str]) -> Part:
    """One replica of a service, told by `environ` what all of them are told, and by us who and where it is."""
    url = f"http://{HOST}:{port}"
    prefix = service.upper()
    own = {"SERVICE_INSTANCE": name, f"{prefix}_HOST": HOST, f"{prefix}_PORT": str(port)}
    if service == "generator":
        own["GENERATOR_PUBLIC_URL"] = url
    return Part(
        name=name,
        argv=(sys.executable, "-m", package_of(service)),
        env={**environ, **own},
        port=port,
        url=url,
        ready=partial(healthy, port),
    )


async def healthy(port: int) -> bool:
    """True when the service on `port` says that it and what it needs are there."""
    answer = await exchange(port, f"GET /health/ready HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
    return answer.split()[1:2] == [b"200"]
