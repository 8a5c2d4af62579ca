"""docs/settings.md names every setting of every service, and the default that the code has."""

import re

import pytest
from pydantic_settings import BaseSettings

import gateway.settings
import generator_service.settings
import ledger_service.settings
import uploader_service.settings
from stage.bucket import BucketSettings
from tests.repository.test_compose import names
from tests.repository.tree import ROOT

PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
SERVICES: dict[str, type[BaseSettings]] = {
    "Gateway": gateway.settings.Settings,
    "Generator": generator_service.settings.Settings,
    "Uploader": uploader_service.settings.Settings,
    "Ledger": ledger_service.settings.Settings,
}
NEEDED = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom", "S3_ACCESS_KEY_ID": "id",
    "S3_SECRET_ACCESS_KEY": "secret", "S3_BUCKET_NAME": "bucket",
}  # fmt: skip


def rows(title: str) -> dict[str, str]:
    """The settings of a section with their defaults as they are written: a value, `needed`, words, or nothing."""
    [section] = re.findall(rf"^## {title}.*?\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^\| `([A-Z0-9_]+)` \|([^|]*)\|", section, re.MULTILINE)
    return {name: default.strip() for name, default in found}


def shared(settings: type[BaseSettings]) -> dict[str, str]:
    """What stands in the sections that several services read."""
    return rows("Every service") | (rows("The bucket") if issubclass(settings, BucketSettings) else {})


@pytest.mark.parametrize("service", SERVICES)
def test_the_page_names_the_settings_of_a_service_and_no_others(service: str) -> None:
    settings = SERVICES[service]
    known = {names(settings, field, info)[0] for field, info in settings.model_fields.items()}

    named = rows(service).keys() | shared(settings).keys()

    assert (known - named, named - known) == (set(), set())


@pytest.mark.parametrize("service", SERVICES)
def test_a_default_of_the_page_is_the_one_of_the_code(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, written = SERVICES[service], rows(service) | shared(SERVICES[service])
    needed = {names(settings, field, info)[0] for field, info in settings.model_fields.items() if info.is_required()}
    for name in written:
        monkeypatch.delenv(name, raising=False)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    by_the_code = settings().model_dump()

    for name, default in written.items():
        if default.startswith("`") or not default:
            monkeypatch.setenv(name, default.strip("`"))

    assert settings().model_dump() == by_the_code
    assert {name for name, default in written.items() if default == "needed"} == needed
