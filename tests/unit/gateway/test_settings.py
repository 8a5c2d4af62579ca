"""What the gateway must be told, and open doors that it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.app import asks_of
from gateway.hosts import names_in
from gateway.settings import Settings
from stage.settings import load


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "GATEWAY_DATABASE_URL": "postgresql://db/darkroom",
        "S3_ACCESS_KEY_ID": "a", "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media", "GATEWAY_AUTH": "open",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (
            {"$ref": "#"},
            "gateway: MODELS_DIRECTORY: is wrong: Value error, faces.json: input_schema: Value error, must",
        ),
        (
            {"type": "object", "properties": {"a": {"pattern": "("}}},
            "gateway: MODELS_DIRECTORY: acme/faces: input_schema",
        ),
    ],
    ids=["cannot be read", "cannot be used"],
)
def test_a_card_that_cannot_be_used_ends_the_process_with_exit_code_2(
    schema: dict[str, Any], says: str, environ: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = {"name": "acme/faces", "provider": "fake", "description": "Faces.", "outputs_per_call": 1}
    (tmp_path / "faces.json").write_text(json.dumps(card | {"input_schema": schema}))
    environ.setenv("MODELS_DIRECTORY", str(tmp_path))

    with pytest.raises(SystemExit) as ended:
        asks_of(load(Settings, "gateway"))

    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_open_doors_are_fine_on_loopback(host: str, environ: pytest.MonkeyPatch) -> None:
    environ.setenv("GATEWAY_HOST", host)

    assert load(Settings, "gateway").host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gateway", "", "localhost.example.org"])
def test_open_doors_off_loopback_are_refused_with_exit_code_2(
    host: str, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environ.setenv("GATEWAY_HOST", host)

    with pytest.raises(SystemExit) as ended:
        load(Settings, "gateway")

    assert ended.value.code == 2
    assert (
        f"GATEWAY_AUTH=open lets everybody in, so GATEWAY_HOST must be loopback, not {host}" in capsys.readouterr().err
    )


def test_open_doors_in_a_container_are_fine_when_somebody_says_that_loopback_is_before_it(
    environ: pytest.MonkeyPatch,
) -> None:
    environ.setenv("GATEWAY_HOST", "0.0.0.0")
    environ.setenv("GATEWAY_AUTH_OPEN_BEHIND_LOOPBACK", "true")

    assert load(Settings, "gateway").host == "0.0.0.0"


def test_whoever_says_nothing_of_who_may_call_wants_keys_wherever_it_listens(environ: pytest.MonkeyPatch) -> None:
    environ.delenv("GATEWAY_AUTH")
    environ.setenv("GATEWAY_HOST", "0.0.0.0")

    assert load(Settings, "gateway").auth == "keys"


NEEDED = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "GATEWAY_DATABASE_URL": "postgresql://127.0.0.1/darkroom",
    "S3_ACCESS_KEY_ID": "a",
    "S3_SECRET_ACCESS_KEY": "b",
    "S3_BUCKET_NAME": "media",
    "auth": "open",
}
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjU"


@pytest.mark.parametrize("secret", [SECRET, SECRET[:-1], ""])
def test_a_signing_secret_may_be_as_the_provider_gives_it_or_missing(secret: str) -> None:
    settings = Settings.model_validate(NEEDED | {"REPLICATE_WEBHOOK_SECRET": secret})

    assert settings.replicate_webhook_secret.get_secret_value() == secret


@pytest.mark.parametrize("secret", ["whsec_", SECRET.removeprefix("whsec_"), "whsec_no base64!", "r8_token"])
def test_a_signing_secret_that_could_verify_nothing_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(ValidationError, match="must be whsec_ and Base64"):
        Settings.model_validate(NEEDED | {"REPLICATE_WEBHOOK_SECRET": secret})


def test_pages_of_other_origins_are_let_in_only_when_they_are_written_out(
    environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(Settings, "gateway").cors_origins == ""
    environ.setenv("GATEWAY_CORS_ORIGINS", "https://app.example.org")
    assert load(Settings, "gateway").cors_origins == "https://app.example.org"
    environ.setenv("GATEWAY_CORS_ORIGINS", "https://app.example.org,*")

    with pytest.raises(SystemExit) as ended:
        load(Settings, "gateway")

    assert ended.value.code == 2
    assert "GATEWAY_CORS_ORIGINS: is wrong: Value error, * is no origin" in capsys.readouterr().err


def test_what_is_no_name_of_a_host_is_refused_at_the_start(
    environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environ.setenv("GATEWAY_AUTH_OPEN_HOSTS", "Gateway, darkroom.internal")
    assert names_in(load(Settings, "gateway").auth_open_hosts) == {"gateway", "darkroom.internal"}
    environ.setenv("GATEWAY_AUTH_OPEN_HOSTS", "http://gateway:8000")

    with pytest.raises(SystemExit) as ended:
        load(Settings, "gateway")

    assert ended.value.code == 2
    assert "GATEWAY_AUTH_OPEN_HOSTS: is wrong: Value error, http://gateway:8000 is no host" in capsys.readouterr().err


def test_browsers_are_not_told_to_insist_on_tls_unless_that_is_set(environ: pytest.MonkeyPatch) -> None:
    assert load(Settings, "gateway").hsts_seconds == 0
    environ.setenv("GATEWAY_HSTS_SECONDS", "31536000")

    assert load(Settings, "gateway").hsts_seconds == 31_536_000
