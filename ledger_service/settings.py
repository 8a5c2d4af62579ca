"""What the ledger must be told, as LEDGER_* variables."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from stage.settings import DatabaseUrl, StageSettings
from stage.spans import span_in

TENANT = re.compile(r"[^\s=]{1,64}")


def ages(pairs: str) -> dict[str, timedelta]:
    """The ages of TENANT=AGE pairs, such as acme=30d,*=365d. Raises ValueError for anything else."""
    found = {}
    for pair in filter(None, map(str.strip, pairs.split(","))):
        tenant, _, age = pair.partition("=")
        if not TENANT.fullmatch(tenant) or tenant in found or not (span := span_in(age)):
            raise ValueError("must be TENANT=AGE pairs, such as acme=30d,*=365d")
        found[tenant] = span
    return found


def _readable(pairs: str) -> str:
    ages(pairs)
    return pairs


class Settings(StageSettings):
    """The ledger's settings."""

    model_config = SettingsConfigDict(env_prefix="LEDGER_", frozen=True, extra="ignore")

    database_url: DatabaseUrl = Field(validation_alias=AliasChoices("LEDGER_DATABASE_URL", "DATABASE_URL"))
    port: int = Field(8103, ge=1, le=65_535)
    # How long after its end a job's media, prompt and input are kept, by tenant: `*` is any other. Empty: for ever.
    remove_after: Annotated[str, AfterValidator(_readable)] = ""
