"""docker-compose.yml: valid, safe by default, and in agreement with what the code asks for and listens on."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import gateway.settings
import generator_service.settings
import ledger_service.settings
import uploader_service.settings
from darkroom import steps
from stage.bucket import BucketSettings
from stage.service import health_routes
from tests.repository.tree import ROOT, said_by

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]

SETTINGS: dict[str, type[BaseSettings]] = {
    "gateway": gateway.settings.Settings,
    "generator": generator_service.settings.Settings,
    "uploader": uploader_service.settings.Settings,
    "ledger": ledger_service.settings.Settings,
}
BESIDE: dict[str, type[BaseSettings]] = {"generator": BucketSettings}
"""What a service reads only when it needs it: the generator stages what a provider hands over as bytes."""
ONE_SHOTS = ["prepare", "migrate", "topics", "bucket"]
OPERATORS = "darkroom"
"""Runs the command line, for people."""
OURS = [*SETTINGS, *ONE_SHOTS, OPERATORS]


def environment(container: str) -> dict[str, str]:
    """What a container is told when nobody sets anything: every `${NAME:-default}` is its default."""
    given: dict[str, Any] = CONTAINERS[container].get("environment", {})
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for name, value in given.items()}


def names(settings: type[BaseSettings], field: str, info: FieldInfo) -> list[str]:
    """The variables that give one setting, as pydantic-settings reads them."""
    alias = info.validation_alias
    if alias is None:
        return [f"{settings.model_config.get('env_prefix', '')}{field}".upper()]
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return [str(choice).upper() for choice in choices]


def listening() -> dict[str, int]:
    """The port on which each container answers the others."""
    kafka = environment("kafka")
    internal = re.search(rf"{kafka['KAFKA_INTER_BROKER_LISTENER_NAME']}://:(\d+)", kafka["KAFKA_LISTENERS"])
    assert internal
    return {
        "kafka": int(internal[1]),
        "postgres": 5432,
        "s3": int(environment("s3")["VGW_PORT"].removeprefix(":")),
        "kafka-ui": 8080,
        **{service: int(environment(service)[f"{service.upper()}_PORT"]) for service in SETTINGS},
    }


def published() -> dict[str, str]:
    """Every port of the machine that compose takes, `address:port`, with the container behind it, `name:port`."""
    pairs = [(port, container) for container, told in CONTAINERS.items() for port in told.get("ports", [])]
    return {port.rpartition(":")[0]: f"{container}:{port.rpartition(':')[2]}" for port, container in pairs}


def places(container: str) -> dict[str, str]:
    """The settings of a container that say where something is, as `host:port`."""
    found = {}
    for name, value in environment(container).items():
        if "://" in value and "LISTENER" not in name:
            found[name] = f"{urlsplit(value).hostname}:{urlsplit(value).port}"
        elif re.fullmatch(r"[a-z][a-z0-9.-]*:\d+", value):
            found[name] = value
    return found


def schema_faults(file: Path) -> str:
    return said_by("check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)


def test_compose_is_valid() -> None:
    assert schema_faults(ROOT / "docker-compose.yml") == ""


def test_a_planted_error_in_compose_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "docker-compose.yml"
    planted.write_text((ROOT / "docker-compose.yml").read_text().replace("command: [python", "comand: [python", 1))

    assert "comand" in schema_faults(planted)


@pytest.mark.parametrize("service", SETTINGS)
def test_every_setting_a_service_requires_is_given(service: str) -> None:
    settings, given = SETTINGS[service], environment(service)

    missing = [
        names(settings, field, info)
        for field, info in settings.model_fields.items()
        if info.is_required() and not given.keys() & set(names(settings, field, info))
    ]

    assert missing == []


@pytest.mark.parametrize("service", SETTINGS)
def test_a_service_is_given_no_setting_it_does_not_know(service: str) -> None:
    known = {
        name
        for settings in {SETTINGS[service], BESIDE.get(service, SETTINGS[service])}
        for field, info in settings.model_fields.items()
        for name in names(settings, field, info)
    }

    assert environment(service).keys() - known == set()


@pytest.mark.parametrize("service", SETTINGS)
def test_a_service_starts_with_the_settings_it_is_given(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in environment(service).items():
        monkeypatch.setenv(name, value)

    settings = SETTINGS[service]()

    assert settings.model_dump()["host"] == "0.0.0.0", "a container must listen on its network's address"


def test_the_one_shots_are_given_all_that_the_steps_ask_for_and_nothing_else() -> None:
    """The steps name their settings in `darkroom/steps.py`, and a database for each service."""
    asked = set(re.findall(r'"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"', Path(steps.__file__).read_text()))
    asked |= {steps.database_setting(service) for service in steps.SERVICES}

    given = {name for container in ONE_SHOTS for name in environment(container)}

    assert given == asked


@pytest.mark.parametrize("service", SETTINGS)
def test_a_service_listens_where_the_code_says_it_does(service: str) -> None:
    assert SETTINGS[service].model_fields["port"].default == listening()[service]


@pytest.mark.parametrize("service", SETTINGS)
def test_a_service_is_asked_for_its_health_where_it_answers(service: str) -> None:
    asked = re.search(r"http://[^']+", str(CONTAINERS[service]["healthcheck"]["test"]))
    assert asked
    url = urlsplit(asked[0])

    assert (url.hostname, url.port) == ("127.0.0.1", listening()[service])
    assert url.path in {getattr(route, "path", None) for route in health_routes({})}


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_place_a_container_is_told_of_is_there(container: str) -> None:
    there = {f"{name}:{port}" for name, port in listening().items()} | published().keys()

    assert set(places(container).values()) - there == set()


def test_every_published_port_leads_to_a_container_that_listens_on_it() -> None:
    kafka_for_this_machine = "kafka:29092"
    listened = {f"{name}:{port}" for name, port in listening().items()} | {kafka_for_this_machine}

    assert set(published().values()) <= listened
    assert "HOST://127.0.0.1:29092" in environment("kafka")["KAFKA_ADVERTISED_LISTENERS"]


def test_ports_are_published_on_loopback_only() -> None:
    assert [place for place in published() if not place.startswith("127.0.0.1:")] == []


def test_what_asks_for_no_key_is_published_nowhere() -> None:
    behind = {target.partition(":")[0] for target in published().values()}

    # Metrics and health of the stages, Kafka and PostgreSQL's tables: whoever reaches them is let in.
    assert behind & {"generator", "uploader", "ledger", "postgres"} == set()


def test_uploaders_may_fetch_from_the_fake_provider() -> None:
    assert environment("uploader")["UPLOADER_ALLOWED_PRIVATE"] == places("generator")["GENERATOR_PUBLIC_URL"]


def test_the_operators_container_is_told_where_everything_is_and_is_started_by_nobody_else() -> None:
    wanted = {f"{service.upper()}_DATABASE_URL" for service in SETTINGS}
    wanted |= {"KAFKA_BOOTSTRAP_SERVERS", "DARKROOM_ADMIN_DATABASE_URL", "REPLICATE_API_TOKEN"}
    wanted |= {name for name in environment("bucket") if name.startswith("S3_")}

    assert environment(OPERATORS).keys() == wanted
    assert CONTAINERS[OPERATORS]["profiles"] == ["operator"]
    assert [name for name, told in CONTAINERS.items() if OPERATORS in told.get("depends_on", {})] == []


@pytest.mark.parametrize("one_shot", ONE_SHOTS)
def test_a_one_shot_is_what_another_container_waits_for(one_shot: str) -> None:
    waited_for = [told.get("depends_on", {}).get(one_shot) for told in CONTAINERS.values()]

    # Otherwise `docker compose up --wait` takes its end for a failure.
    assert {"condition": "service_completed_successfully"} in waited_for


@pytest.mark.parametrize("name", ["MEDIA_GENERATOR_PROVIDER", "GENERATOR_ROUTES"])
def test_gateway_and_generator_are_told_the_same_of_who_makes_what(name: str) -> None:
    assert environment("gateway")[name] == environment("generator")[name]


@pytest.mark.parametrize("container", OURS)
def test_our_containers_have_no_privileges_and_nothing_to_write_to(container: str) -> None:
    told = CONTAINERS[container]

    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]


def test_every_image_that_is_not_ours_is_pinned() -> None:
    images = {told["image"] for container, told in CONTAINERS.items() if container not in OURS}

    assert [image for image in images if not re.search(r":v?\d+", image)] == []
