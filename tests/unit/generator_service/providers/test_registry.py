"""Which provider makes which model, and what a provider must be told."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from generator_service.providers import open_providers, provider_of
from generator_service.settings import Settings

BUCKET = {"S3_ACCESS_KEY_ID": "key", "S3_SECRET_ACCESS_KEY": "secret", "S3_BUCKET_NAME": "bucket"}


def settings(**told: Any) -> Settings:
    needed = {"DATABASE_URL": "postgresql://nowhere/darkroom", "KAFKA_BOOTSTRAP_SERVERS": "nowhere:9092"}
    return Settings.model_validate(needed | told)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REPLICATE_API_TOKEN", "COG_URL", "GENERATOR_ROUTES", "MEDIA_GENERATOR_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in BUCKET.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("model", "provider"),
    [("black-forest-labs/flux", "replicate"), ("acme/own", "cog"), ("fake/painter", "fake"), ("x/y", "replicate")],
)
def test_the_first_route_that_fits_wins_then_the_catalogue_then_the_default(model: str, provider: str) -> None:
    routes = "black-*=replicate, acme/*=cog, acme/own=fake"
    told = settings(GENERATOR_ROUTES=routes, MEDIA_GENERATOR_PROVIDER="replicate")

    assert provider_of(model, told) == provider


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"MEDIA_GENERATOR_PROVIDER": "replicate"}, "generator: REPLICATE_API_TOKEN: is missing"),
        ({"GENERATOR_ROUTES": "x/*=replicate"}, "generator: REPLICATE_API_TOKEN: is missing"),
        ({"MEDIA_GENERATOR_PROVIDER": "replicate", "REPLICATE_API_TOKEN": "r8_\n"}, "REPLICATE_API_TOKEN: is no token"),
        ({"MEDIA_GENERATOR_PROVIDER": "cog"}, "generator: COG_URL: is missing"),
        (
            {"MEDIA_GENERATOR_PROVIDER": "cog", "COG_URL": "http://c", "GENERATOR_CALL_TIMEOUT": "15s"},
            "GENERATOR_CALL_TIMEOUT: is too short",
        ),
        ({"MEDIA_GENERATOR_PROVIDER": "nobody"}, "MEDIA_GENERATOR_PROVIDER: 'nobody' is not known"),
        ({"GENERATOR_CALLS_A_DAY": "replicte=100"}, "GENERATOR_CALLS_A_DAY: 'replicte' is not known"),
        ({"GENERATOR_COST_A_DAY": "replicte=100"}, "GENERATOR_COST_A_DAY: 'replicte' is not known"),
        ({"GENERATOR_RATE_PER_MINUTE": "Replicate=9"}, "GENERATOR_RATE_PER_MINUTE: 'Replicate' is not known"),
        ({"DOUBT_POLICY": "settle=repliate"}, "DOUBT_POLICY: 'repliate' is not known"),
        ({"GENERATOR_ROUTES": "x/*"}, "GENERATOR_ROUTES: '' is not known"),
    ],
    ids=lambda told: " ".join(told) if isinstance(told, dict) else told,
)
async def test_a_provider_that_is_wanted_and_lacks_its_settings_ends_the_process_with_one_line(
    told: dict[str, str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as end:
        async with open_providers(settings(), {}):
            pass

    said = capsys.readouterr().err
    assert end.value.code == 2
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("provider", "says"),
    [
        ("replicate", "generator: REPLICATE_API_TOKEN: is missing"),
        ("nobody", "generator: MODELS_DIRECTORY: 'nobody' is not known"),
    ],
)
async def test_a_card_of_ones_own_leads_to_its_provider_unless_a_route_leads_elsewhere(
    provider: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = {"name": "acme/faces", "provider": provider, "description": "Faces.", "outputs_per_call": 1}
    (tmp_path / "faces.json").write_text(json.dumps(card))
    told = {"MODELS_DIRECTORY": str(tmp_path)}

    with pytest.raises(SystemExit):
        async with open_providers(settings(**told), {}):
            pass
    async with open_providers(settings(**told, GENERATOR_ROUTES="acme/*=fake"), {}) as opened:
        assert opened.keys() == {"fake"}

    assert says in capsys.readouterr().err


async def test_only_what_is_wanted_is_opened() -> None:
    wanted = settings(MEDIA_GENERATOR_PROVIDER="replicate", REPLICATE_API_TOKEN="r8_made_up")

    async with open_providers(settings(), {}) as few, open_providers(wanted, {}) as more:
        assert few.keys() == {"fake"}
        assert more.keys() == {"fake", "replicate"}


async def test_a_provider_that_still_has_calls_is_opened_though_nothing_leads_to_it_any_more() -> None:
    left = settings(REPLICATE_API_TOKEN="r8_made_up")

    async with open_providers(left, {"replicate": 7}) as opened:
        assert opened.keys() == {"fake", "replicate"}


@pytest.mark.parametrize("gone", ["replicate", "never_heard_of"])
async def test_calls_of_a_provider_that_nobody_can_open_stop_nothing_else(gone: str) -> None:
    async with open_providers(settings(), {gone: 7}) as opened:
        assert opened.keys() == {"fake"}


@pytest.mark.parametrize("bound", ["4s", "0m", "PT1S", "1h30m", "forever", ""])
def test_a_bound_on_cost_that_replicate_would_not_take_is_refused(bound: str) -> None:
    with pytest.raises(ValidationError, match="REPLICATE_CANCEL_AFTER"):
        settings(REPLICATE_CANCEL_AFTER=bound)


@pytest.mark.parametrize(("span", "seconds"), [("90s", 90), ("45m", 2_700), ("2h", 7_200), ("PT1M", 60)])
def test_a_span_of_time_is_read_as_people_write_it(span: str, seconds: int) -> None:
    assert settings(REPLICATE_CANCEL_AFTER=span).replicate_cancel_after.total_seconds() == seconds


def test_the_token_is_not_shown_with_the_settings() -> None:
    assert "r8_made_up" not in repr(settings(REPLICATE_API_TOKEN="r8_made_up"))


def test_a_rate_of_nothing_lets_nothing_out() -> None:
    """It let one burst of sixty calls out."""
    limits = settings(rate_per_minute="replicate=0").limits("replicate")

    assert limits is not None
    assert (limits.per_minute, limits.burst) == (0, 0)


@pytest.mark.parametrize("told", [{"calls_a_day": "replicate=-1"}, {"call_timeout": "5s"}])
def test_a_setting_under_which_nothing_could_ever_be_asked_is_refused(told: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=next(iter(told))):
        settings(**told)
