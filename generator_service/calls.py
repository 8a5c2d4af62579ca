"""What is asked of a provider, and the only answers there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from schemas.events import StagedSource, UrlSource


class Capability(StrEnum):
    """What a provider makes possible when an answer was lost."""

    CLIENT_ID = "client_id"
    """It takes our id for a call; asking again under it is the same call."""


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt at one generation."""

    generation_id: UUID
    attempt: int
    outputs: tuple[int, ...]
    model: str
    prompt: str
    num_outputs: int
    seed: int
    output_format: str | None
    input: Mapping[str, Any]
    submitted_at: datetime | None = None
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """The provider has the call under `provider_id`; look again at `look_at`."""

    provider_id: str
    look_at: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """The call is over and made these, in the order of the call's outputs. Fewer than asked for is possible."""

    provider_id: str
    sources: tuple[UrlSource | StagedSource, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The call surely failed or was surely refused. Nothing of it will ever exist."""

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """The call may have been accepted: the answer was lost."""

    why: str


Outcome = Running | Finished | Failed | Unknown
