"""What the gateway must be told, as GATEWAY_* variables and the original's S3_* names."""

import base64
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from gateway.cors import origins_in
from gateway.hosts import is_loopback, names_in
from schemas.catalogue import ModelsDirectory
from stage.bucket import BucketSettings
from stage.settings import CallbackKeys, DatabaseUrl, ServiceSettings


def _standard(secret: SecretStr) -> SecretStr:
    kind, _, key = secret.get_secret_value().partition("_")
    if key or kind:
        try:
            base64.b64decode(key + "=" * (-len(key) % 4), validate=True)
        except ValueError:
            key = ""
        if kind != "whsec" or not key:
            raise ValueError("must be whsec_ and Base64, as the provider gives it")
    return secret


SigningSecret = Annotated[SecretStr, AfterValidator(_standard)]
"""What a provider signs its callbacks with, after Standard Webhooks. Empty: its callbacks are proven by their path."""


def _origins(setting: str) -> str:
    origins_in(setting)
    return setting


def _names(setting: str) -> str:
    names_in(setting)
    return setting


class Settings(ServiceSettings, BucketSettings):
    """The gateway's settings."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True, extra="ignore")

    database_url: DatabaseUrl = Field(validation_alias=AliasChoices("GATEWAY_DATABASE_URL", "DATABASE_URL"))
    port: int = Field(8000, ge=1, le=65_535)
    auth: Literal["keys", "open"] = "keys"  # open: everybody is the tenant `dev`; never off loopback
    auth_open_behind_loopback: bool = False  # in a container: the port is published on loopback only
    auth_open_hosts: Annotated[str, AfterValidator(_names)] = ""  # names that open doors answer to, beside loopback's
    cors_origins: Annotated[str, AfterValidator(_origins)] = ""  # pages of these may call us from a browser
    hsts_seconds: int = Field(0, ge=0, le=10 * 365 * 86_400)  # for browsers, where TLS ends before us; 0: not said
    publish_timeout: float = Field(10, gt=0, le=60)  # seconds to wait for Kafka's acknowledgement
    # For tenants that have no limits of their own. 0: no limit.
    requests_per_minute: int = Field(6_000, ge=0, le=10_000_000)  # of each key, over all replicas
    jobs_queued: int = Field(10_000, ge=0, le=1_000_000)  # jobs of each tenant that are not over
    # What proves callbacks: our own keys (KID=SECRET pairs, as the generator's), and what Replicate signs with.
    callback_keys: CallbackKeys = Field(SecretStr(""), validation_alias="CALLBACK_KEYS")
    replicate_webhook_secret: SigningSecret = Field(SecretStr(""), validation_alias="REPLICATE_WEBHOOK_SECRET")
    models_directory: ModelsDirectory = Field("", validation_alias="MODELS_DIRECTORY")  # cards beside the packaged ones
    models_strict: bool = Field(False, validation_alias="MODELS_STRICT")  # refuse models that are not in the catalogue
    # As the generator is told, so that `dry_run` says who would be called.
    media_generator_provider: str = Field("fake", validation_alias="MEDIA_GENERATOR_PROVIDER")
    model_routes: str = Field("", validation_alias="GENERATOR_ROUTES")
    scan_records: int = Field(5_000, ge=1)  # of the log, read at most to find a job that the ledger has not reached

    @model_validator(mode="after")
    def _refuse_open_doors(self) -> Self:
        if self.auth == "open" and not self.auth_open_behind_loopback and not is_loopback(self.host):
            raise ValueError(f"GATEWAY_AUTH=open lets everybody in, so GATEWAY_HOST must be loopback, not {self.host}")
        return self
