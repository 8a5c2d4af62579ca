"""What is asked of a provider, and the only answers there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from schemas.events import StagedSource, UrlSource


class Capability(StrEnum):
    """What a provider makes possible, above all when an answer was lost."""

    CLIENT_ID = "client_id"
    """It takes our id for a call; asking again under it is the same call."""
    IDEMPOTENCY_KEY = "idempotency_key"
    """It takes a key with a call; asking again under it gives the first answer."""
    LIST_MATCH = "list_match"
    """It lists what was asked of it, so that a lost call can be found."""
    CALLBACK = "callback"
    """It calls back when a call starts and ends, at a URL that names the call."""
    CANCEL = "cancel"
    """It can be asked to stop."""


REPEATABLE = frozenset({Capability.CLIENT_ID, Capability.IDEMPOTENCY_KEY})
"""With one of these, asking again cannot make a second call."""


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
    takes: Sequence[str] | None = None
    """Which of prompt, num_outputs, seed and output_format the model has a word for; None: nobody knows."""
    intent_at: datetime | None = None
    submitted_at: datetime | None = None
    provider_id: str | None = None
    callback_url: str | None = None
    """Where the provider may call back; None when nobody could hear it."""
    send_by: float | None = None
    """Seconds of `time.clock_gettime(CLOCK_BOOTTIME)` after which nothing may be written any more: the claim may be
    somebody else's by then. Checked right before the request leaves."""


@dataclass(frozen=True, slots=True)
class Running:
    """The provider has the call under `provider_id`. `look_at`: when to look again, if it knows."""

    provider_id: str
    look_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The call is over and made these, in the order of the call's outputs. Fewer than asked for is possible."""

    provider_id: str
    sources: tuple[UrlSource | StagedSource, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The call surely failed, or this asking was surely refused."""

    code: str
    message: str
    retryable: bool
    provider_code: str | None = None
    provider_id: str | None = None
    """The call's own id, when it had been accepted before it failed. None: this asking was refused, which says
    nothing about an earlier one.
    """


@dataclass(frozen=True, slots=True)
class Throttled:
    """The account may not ask now. The call was surely not accepted, and this was no attempt."""

    retry_after: timedelta
    message: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing was written: the claim had run out, or no connection came about. This was no attempt."""

    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost. Of a submission: it may have been accepted."""

    why: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """Calls at the provider that may be the lost one: same model, same input, made after the intent.

    Oldest first. `complete`: the list was read back to the intent, so a call that is not in it is not there (yet).
    """

    provider_ids: tuple[str, ...]
    complete: bool


Submitted = Running | Finished | Failed | Throttled | NotSent | Unknown
Polled = Running | Finished | Failed | Unknown
Found = Candidates | Unknown
