"""What is known of an output on its way into the bucket."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from schemas.events import Event, StagedSource, UrlSource

Source = UrlSource | StagedSource
E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Media:
    """What the bytes of an output are, and where in the bucket they lie or will lie."""

    key: str
    sha256: str
    size: int
    content_type: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file with the bytes of an output, and the instance on whose disk it lies."""

    file: str
    owner: str


@dataclass(frozen=True, slots=True)
class Claim:
    """An output that this process may work on until its lease ends; `fence` proves it."""

    id: int
    job_id: UUID
    revision: int
    index: int
    tenant: str
    state: str
    attempt: int
    fence: int
    since: datetime
    """When this step began: heard of, or fetched."""
    fetch_attempts: int = 0
    store_attempts: int = 0
    asked: bool = False
    """The provider was asked for another source already."""
    removed: bool = False
    provider: str = ""
    output_format: str | None = None
    source: Source | None = None
    media: Media | None = None
    spooled: Spooled | None = None

    def says(self, fact: type[E], at: datetime, **facts: Any) -> E:
        """A fact about this output."""
        return fact.say(
            self.job_id, self.tenant, at, revision=self.revision, index=self.index, attempt=max(1, self.attempt),
            **facts,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the latest revision before has left of an output that is to be stored again. `stored`: under its key."""

    provider: str
    output_format: str | None
    source: Source | None
    media: Media | None
    spooled: Spooled | None
    stored: bool
    removed: bool
