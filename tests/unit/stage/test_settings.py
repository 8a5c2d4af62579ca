"""Settings: what is missing or wrong is named, the process ends with exit code 2, and no secret is shown."""

import ssl

import pytest
from pydantic_settings import BaseSettings

from gateway.settings import Settings as Gateway
from generator_service.settings import Settings as Generator
from ledger_service.settings import Settings as Ledger
from stage.settings import load, refuse
from uploader_service.settings import Settings as Uploader

SERVICES: dict[str, type[BaseSettings]] = {
    "gateway": Gateway, "generator": Generator, "uploader": Uploader, "ledger": Ledger,
}  # fmt: skip
SECRET = "hush"
BUCKET = {"S3_ACCESS_KEY_ID": "hush-id", "S3_SECRET_ACCESS_KEY": "hush-key", "S3_BUCKET_NAME": "media"}
ENOUGH = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "GATEWAY_AUTH": "open",
    "DATABASE_URL": f"postgresql://u:{SECRET}@db/darkroom",
} | BUCKET  # fmt: skip


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that is enough for every service, and nothing else of ours."""
    for settings in SERVICES.values():
        for name, field in settings.model_fields.items():
            monkeypatch.delenv(str(field.validation_alias), raising=False)
            monkeypatch.delenv(f"{settings.model_config['env_prefix']}{name}".upper(), raising=False)
    for name, value in ENOUGH.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def complaints(service: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        load(SERVICES[service], service)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_what_it_must_be_told(service: str) -> None:
    settings = load(SERVICES[service], service)

    assert settings.model_dump()["kafka_bootstrap_servers"] == "kafka:9092"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_was_told_nothing_names_everything_it_needs(
    service: str, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ENOUGH:
        environ.delenv(name)

    named = {line.split(": ")[1] for line in complaints(service, capsys)}

    needed = {"KAFKA_BOOTSTRAP_SERVERS", f"{service.upper()}_DATABASE_URL"}
    needed |= set(BUCKET) if service in ("gateway", "uploader") else set()
    assert named == needed


def test_a_line_says_who_complains_about_what_and_what_to_do(
    environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environ.delenv("KAFKA_BOOTSTRAP_SERVERS")

    assert complaints("ledger", capsys) == ["ledger: KAFKA_BOOTSTRAP_SERVERS: is missing: set it in the environment"]


@pytest.mark.parametrize(
    ("service", "name", "value"),
    [
        ("generator", "GENERATOR_PORT", "hush"),
        ("generator", "GENERATOR_PORT", "0"),
        ("generator", "GENERATOR_MAX_ATTEMPTS", "0"),
        ("generator", "FAKE_LATENCY", "-1"),
        ("generator", "LOG_LEVEL", "hush"),
        ("generator", "INITIAL_RETRY_DELAY", "nan"),
        ("generator", "KAFKA_SECURITY_PROTOCOL", "hush"),
        ("uploader", "UPLOADER_FETCH_TIMEOUT", "hush"),
        ("uploader", "S3_BUCKET_NAME", ""),
        ("ledger", "KAFKA_BOOTSTRAP_SERVERS", ""),
        ("gateway", "GATEWAY_AUTH", "hush"),
        ("gateway", "GATEWAY_PUBLISH_TIMEOUT", "61"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(
    service: str, name: str, value: str, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environ.setenv(name, value)

    [line] = complaints(service, capsys)

    assert line.startswith(f"{service}: {name}: is wrong: ")
    assert "hush" not in line


@pytest.mark.parametrize("url", ["", "hush", f"mysql://u:{SECRET}@db/x", f"postgresql+asyncpg://u:{SECRET}@db/x"])
def test_what_is_no_postgresql_url_is_refused_rather_than_waited_for(
    url: str, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environ.setenv("LEDGER_DATABASE_URL", url)

    [line] = complaints("ledger", capsys)

    assert line == "ledger: LEDGER_DATABASE_URL: is wrong: Value error, must begin with postgresql://"


def test_a_services_own_database_goes_before_the_common_one(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("LEDGER_DATABASE_URL", "postgresql://ledger@db/own")

    assert load(Ledger, "ledger").database_url.get_secret_value() == "postgresql://ledger@db/own"


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("service", SERVICES)
def test_settings_that_are_printed_show_no_secret(service: str) -> None:
    assert "hush" not in repr(load(SERVICES[service], service))


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("service", SERVICES)
def test_settings_cannot_be_changed(service: str) -> None:
    settings = load(SERVICES[service], service)

    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[attr-defined]


def test_a_setting_that_cannot_be_meant_ends_the_process_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        refuse("generator", "MEDIA_GENERATOR_PROVIDER", "'dalle' is not known; known: fake")

    assert ended.value.code == 2
    assert capsys.readouterr().err == "generator: MEDIA_GENERATOR_PROVIDER: 'dalle' is not known; known: fake\n"


@pytest.mark.usefixtures("environ")
def test_kafka_on_a_laptop_needs_an_address_alone() -> None:
    options = load(Ledger, "ledger").kafka_client_options()

    assert options == {"bootstrap_servers": "kafka:9092", "security_protocol": "PLAINTEXT"}


def test_a_managed_kafka_is_reached_with_tls_and_a_password(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    environ.setenv("KAFKA_SASL_USERNAME", "ledger")
    environ.setenv("KAFKA_SASL_PASSWORD", "hush")

    options = load(Ledger, "ledger").kafka_client_options()

    assert isinstance(options.pop("ssl_context"), ssl.SSLContext)
    assert options == {
        "bootstrap_servers": "kafka:9092", "security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ledger", "sasl_plain_password": "hush",
    }  # fmt: skip


def test_the_generator_is_reached_at_its_own_address_unless_told_otherwise(environ: pytest.MonkeyPatch) -> None:
    assert load(Generator, "generator").reached_at == "http://127.0.0.1:8101"

    environ.setenv("GENERATOR_PUBLIC_URL", "http://generator:8101/")
    assert load(Generator, "generator").reached_at == "http://generator:8101"
