"""What the ledger must be told, as LEDGER_* variables."""

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from stage.settings import DatabaseUrl, StageSettings


class Settings(StageSettings):
    """The ledger's settings."""

    model_config = SettingsConfigDict(env_prefix="LEDGER_", frozen=True, extra="ignore")

    database_url: DatabaseUrl = Field(validation_alias=AliasChoices("LEDGER_DATABASE_URL", "DATABASE_URL"))
    port: int = Field(8103, ge=1, le=65_535)
