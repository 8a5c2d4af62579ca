"""What the uploader must be told, as UPLOADER_* variables and the original's S3_* names."""

import tempfile
from datetime import timedelta
from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from stage.bucket import BucketSettings
from stage.retry import delay_before
from stage.settings import DatabaseUrl, Span, StageSettings
from uploader_service.decide import Policy


class Settings(StageSettings, BucketSettings):
    """The uploader's settings."""

    model_config = SettingsConfigDict(env_prefix="UPLOADER_", frozen=True, extra="ignore")

    database_url: DatabaseUrl = Field(validation_alias=AliasChoices("UPLOADER_DATABASE_URL", "DATABASE_URL"))
    port: int = Field(8102, ge=1, le=65_535)
    # Tries to fetch one output before it fails for good: for an hour or so, as our own network may be what is away.
    max_attempts: int = Field(12, ge=1, le=100)
    store_for: Span = timedelta(hours=24)  # how long storing is tried after the fetch
    lease: Span = timedelta(seconds=180)  # of a claim; one that takes longer is prolonged
    fetch_timeout: Span = timedelta(seconds=60)
    store_timeout: Span = timedelta(seconds=30)
    max_bytes: int = Field(1024 * 1024 * 1024, ge=1)  # of one output
    memory_bytes: int = Field(1024 * 1024, ge=0)  # of one output; what is larger goes through the spool
    allowed_hosts: str = "replicate.delivery,*.replicate.delivery"  # of sources, with * for one or more labels
    allowed_private: str = ""  # HOST:PORT pairs of sources inside the network, such as the fake provider's
    # The spool: one folder for each instance, on a disk that outlives it. Needs SERVICE_INSTANCE to be found again.
    spool_dir: Path = Path(tempfile.gettempdir()) / "darkroom-spool"
    spool_lease: Span = timedelta(minutes=15)  # when its owner is silent for so long, others fetch it again
    spool_keep: Span = timedelta(days=7)  # what could not be stored waits so long for a retry
    # Sources that run out.
    expiry_margin: Span = timedelta(minutes=10)  # with less time left, an output that is not fetched is logged
    renewal_patience: Span = timedelta(minutes=5)  # for the provider to name another source
    staged_keep: Span = timedelta(days=30)  # staged objects that nobody took are deleted after that
    # fetching
    stall_timeout: Span = timedelta(seconds=20)  # without a byte; a source that only trickles has fetch_timeout

    @property
    def policy(self) -> Policy:
        """How faults are tried again."""
        return Policy(
            self.max_attempts,
            lambda attempt: delay_before(attempt, initial=self.initial_retry_delay, maximum=self.max_retry_delay),
            self.store_for, self.spool_lease, self.renewal_patience,
        )  # fmt: skip
