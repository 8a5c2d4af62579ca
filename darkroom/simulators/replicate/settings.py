"""How a simulated Replicate behaves when nothing goes wrong."""

from pydantic import BaseModel, ConfigDict, Field


class ReplicateSettings(BaseModel):
    """The numbers of a simulator. `PUT /_simulator/settings` changes those it names, for what happens afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    queue_seconds: float = Field(0.1, ge=0, description="How long a prediction is `starting`.")
    run_seconds: float = Field(0.4, ge=0, description="How long it is `processing`.")
    latency_spread: float = Field(0.0, ge=0, le=1, description="The share of both by which they vary, by the seed.")
    retention_seconds: float = Field(3600.0, ge=0, description="After the end, until input, output and files go.")
    creates_per_minute: int = Field(600, ge=1)
    gets_per_minute: int = Field(60_000, ge=1, description="GET /predictions/{id}.")
    others_per_minute: int = Field(3_000, ge=1, description="All other calls.")
    low_credit: bool = Field(False, description="6 creates a minute, one at a time, and the body that says so.")
    token: str | None = Field(None, description="The one token that is accepted; any, when there is none.")
    webhook_secret: str | None = Field(None, pattern=r"^whsec_[A-Za-z0-9+/=]+$", description="By the seed otherwise.")
    public_url: str | None = Field(None, description="What stands in answers instead of http://HOST:PORT.")
    any_model: bool = Field(False, description="Take models nobody described for pictures, instead of 404.")
    picture_side: int = Field(512, ge=16, le=2048, description="Pixels, when the input says no size.")
    data_uris_in_sync: bool = Field(True, description="Files as data: URIs when the caller waits, as recorded.")
    page_size: int = Field(100, ge=1, le=100, description="Of GET /predictions.")
