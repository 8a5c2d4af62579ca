"""What the generator must be told, as GENERATOR_* variables; no default means no safe one."""

from datetime import timedelta

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from stage.settings import DatabaseUrl, StageSettings


class Settings(StageSettings):
    """The generator's settings."""

    model_config = SettingsConfigDict(env_prefix="GENERATOR_", frozen=True, extra="ignore")

    database_url: DatabaseUrl = Field(validation_alias=AliasChoices("GENERATOR_DATABASE_URL", "DATABASE_URL"))
    port: int = Field(8101, ge=1, le=65_535)
    public_url: str = ""  # where uploaders reach this process; http://HOST:PORT when empty
    media_generator_provider: str = Field("fake", validation_alias="MEDIA_GENERATOR_PROVIDER")
    max_attempts: int = Field(3, ge=1, le=20)  # tries after known failures; an unknown outcome is never tried again
    call_timeout: timedelta = timedelta(seconds=60)  # an intent older than this was lost with its process
    fake_latency: float = Field(0, validation_alias="FAKE_LATENCY", ge=0, le=3600)  # seconds a fake model takes

    @property
    def reached_at(self) -> str:
        """The base URL of this process for uploaders, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
