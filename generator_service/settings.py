"""What the generator must be told, as GENERATOR_* variables; no default means no safe one."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from generator_service.allowance import Limits
from generator_service.claim import Policy
from generator_service.tenant_caps import Caps, caps_of
from schemas.catalogue import ModelCard, ModelsDirectory, catalogue, routes_in
from stage.retry import delay_before
from stage.settings import CallbackKeys, DatabaseUrl, Span, StageSettings


def numbers(pairs: str) -> dict[str, int]:
    """The numbers of PROVIDER=NUMBER pairs. Raises ValueError for anything else."""
    split = (pair.partition("=") for pair in pairs.split(",") if pair.strip())
    told = {name.strip(): int(number) for name, _, number in split}
    if any(number < 0 for number in told.values()):
        raise ValueError("less than nothing cannot be allowed")
    return told


def _pairs(text: str) -> str:
    try:
        numbers(text)
    except ValueError:
        raise ValueError("must be PROVIDER=NUMBER pairs, such as replicate=600") from None
    return text


def _caps(text: str) -> str:
    try:
        caps_of(text)
    except ValueError:
        raise ValueError("must be TENANT=NUMBER pairs from 1, such as acme=20,*=5") from None
    return text


Pairs = Annotated[str, AfterValidator(_pairs)]


class Settings(StageSettings):
    """The generator's settings."""

    model_config = SettingsConfigDict(env_prefix="GENERATOR_", frozen=True, extra="ignore")

    database_url: DatabaseUrl = Field(validation_alias=AliasChoices("GENERATOR_DATABASE_URL", "DATABASE_URL"))
    port: int = Field(8101, ge=1, le=65_535)
    public_url: str = ""  # where uploaders reach this process; http://HOST:PORT when empty
    media_generator_provider: str = Field("fake", validation_alias="MEDIA_GENERATOR_PROVIDER")
    model_routes: str = Field("", validation_alias="GENERATOR_ROUTES")  # PATTERN=PROVIDER pairs, the first that fits
    models_directory: ModelsDirectory = Field("", validation_alias="MODELS_DIRECTORY")  # cards beside the packaged ones
    max_attempts: int = Field(3, ge=1, le=20)  # tries after known failures; an unknown outcome is never tried again
    # An intent older than this was lost with its process; in its last five seconds nothing may leave any more.
    call_timeout: Span = Field(timedelta(seconds=60), ge=timedelta(seconds=8))
    fake_latency: float = Field(0, validation_alias="FAKE_LATENCY", ge=0, le=3600)  # seconds a fake model takes

    # What each provider must be told; needed only where something leads to it.
    replicate_api_token: SecretStr = Field(SecretStr(""), validation_alias="REPLICATE_API_TOKEN")
    replicate_base_url: str = Field(
        "https://api.replicate.com", validation_alias="REPLICATE_BASE_URL", pattern="^https?://"
    )
    # What a prediction whose id was lost can cost at most. Replicate's least is 5 s, its own limit for running 30 min.
    replicate_cancel_after: Span = Field(
        timedelta(minutes=30), validation_alias="REPLICATE_CANCEL_AFTER", ge=timedelta(seconds=5)
    )
    cog_url: str = Field("", validation_alias="COG_URL", pattern="^(https?://.+)?$")

    # How much may be asked of whom, as PROVIDER=NUMBER pairs.
    rate_per_minute: Pairs = "replicate=600"  # creates; Replicate's documented limit
    calls_a_day: Pairs = ""
    cost_a_day: Pairs = ""
    # Calls of one tenant that run at a time, as TENANT=NUMBER pairs; `*` is every tenant not named. Empty: any number.
    tenant_in_flight: Annotated[str, AfterValidator(_caps)] = ""
    # What happens to a call whose answer was lost and that never shows up.
    doubt_policy: str = Field("strict", validation_alias="DOUBT_POLICY", pattern="^(strict|settle=[a-z0-9,_-]+)$")
    look_for: Span = timedelta(minutes=10)  # how long a lost call is looked for
    hold: Span = timedelta(hours=24)  # how long it is held for an operator after that
    # Where providers can reach the gateway, and the keys that prove a callback's path; both or neither.
    callback_base_url: str = Field("", validation_alias="CALLBACK_BASE_URL")
    callback_keys: CallbackKeys = Field(SecretStr(""), validation_alias="CALLBACK_KEYS")

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Which provider makes models whose name fits which pattern, in order."""
        return routes_in(self.model_routes)

    @property
    def models(self) -> Mapping[str, ModelCard]:
        """The model catalogue."""
        return catalogue(self.models_directory)

    @property
    def policy(self) -> Policy:
        """How failures and doubts are handled."""
        return Policy(
            self.max_attempts,
            lambda attempt: delay_before(attempt, initial=self.initial_retry_delay, maximum=self.max_retry_delay),
            frozenset(self.doubt_policy.partition("=")[2].split(",")) - {""},
            self.look_for,
            self.hold,
        )

    def limits(self, provider: str) -> Limits | None:
        """What `provider`'s account allows; None for the fake, which has no account."""
        if provider == "fake":
            return None
        per_minute, calls, cost = (
            numbers(pairs).get(provider) for pairs in (self.rate_per_minute, self.calls_a_day, self.cost_a_day)
        )
        dearest = max(card.cost_units for card in self.models.values())
        return Limits(per_minute, 60 if per_minute is None else min(60, per_minute), calls, cost, dearest)

    @property
    def spoken_of(self) -> dict[str, str]:
        """The providers that limits and policies name, and where: a slip of the finger must not look like a cap."""
        limits = {
            "GENERATOR_RATE_PER_MINUTE": self.rate_per_minute, "GENERATOR_CALLS_A_DAY": self.calls_a_day,
            "GENERATOR_COST_A_DAY": self.cost_a_day,
        }  # fmt: skip
        named = {provider: setting for setting, pairs in limits.items() for provider in numbers(pairs)}
        return named | dict.fromkeys(self.policy.settle, "DOUBT_POLICY")

    @property
    def caps(self) -> Caps:
        """How many calls of each tenant may run at a time."""
        return caps_of(self.tenant_in_flight)

    @property
    def reached_at(self) -> str:
        """The base URL of this process for uploaders, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
