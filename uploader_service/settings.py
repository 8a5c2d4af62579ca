"""What the uploader must be told, as UPLOADER_* variables and the original's S3_* names."""

from datetime import timedelta

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from stage.bucket import BucketSettings
from stage.settings import DatabaseUrl, StageSettings


class Settings(StageSettings, BucketSettings):
    """The uploader's settings."""

    model_config = SettingsConfigDict(env_prefix="UPLOADER_", frozen=True, extra="ignore")

    database_url: DatabaseUrl = Field(validation_alias=AliasChoices("UPLOADER_DATABASE_URL", "DATABASE_URL"))
    port: int = Field(8102, ge=1, le=65_535)
    max_attempts: int = Field(8, ge=1, le=100)  # tries to fetch and store one output before it fails for good
    lease: timedelta = timedelta(seconds=180)  # longer than fetching and three tries of storing together
    fetch_timeout: timedelta = timedelta(seconds=60)
    store_timeout: timedelta = timedelta(seconds=30)
    max_bytes: int = Field(64 * 1024 * 1024, ge=1)  # of one output; it is held in memory while it is stored
    allowed_hosts: str = "replicate.delivery,*.replicate.delivery"  # of sources, with * for one or more labels
    allowed_private: str = ""  # HOST:PORT pairs of sources inside the network, such as the fake provider's
