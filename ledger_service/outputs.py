"""Pure: one output of one revision, and where it stands by what was heard of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from schemas.events import GenerationDoubted
from schemas.jobs import OutputStatus, Phase

ENDS = {"cancelled": OutputStatus.CANCELLED, "deadline_exceeded": OutputStatus.EXPIRED}
"""Codes of final failures that nobody is to blame for; every other one is FAILED."""


class Trouble(StrEnum):
    """What keeps an output from going further. Of one attempt, a later one here replaces an earlier."""

    LOOKED_FOR = "looked_for"
    HELD = "held"
    FAILED = "failed"
    NOT_STORED = "not_stored"


DOUBTS = (Trouble.LOOKED_FOR, Trouble.HELD)
KINDS = (None, *Trouble)


@dataclass(slots=True)
class Output:
    """One output of one revision, as far as facts were heard: the columns of its row."""

    revision: int
    index: int
    generation: int | None = None
    generation_attempts: int = 0
    submitted_attempt: int = 0
    upload_attempts: int = 0
    submitted_at: datetime | None = None
    media_url: str | None = None
    renewal: int = 0
    renewal_offset: int | None = None
    generated_at: datetime | None = None
    generated_offset: int | None = None
    s3_key: str | None = None
    sha256: str | None = None
    size: int | None = None
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    stored_at: datetime | None = None
    stored_offset: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    failed_at: datetime | None = None
    failed_topic: str | None = None
    failed_offset: int | None = None
    trouble: Trouble | None = None
    trouble_attempt: int = 0
    trouble_words: str | None = None
    trouble_offset: int = 0

    @property
    def status(self) -> OutputStatus:
        """Where the output stands."""
        if self.s3_key is not None:
            return OutputStatus.COMPLETED
        if self.error_code is not None:
            return ENDS.get(self.error_code, OutputStatus.FAILED)
        waiting = self.generation_attempts == 0 and not self.storing
        return OutputStatus.PENDING if waiting else OutputStatus.PROCESSING

    @property
    def phase(self) -> Phase:
        """What it is waiting for."""
        if self.over:
            return Phase.DONE
        if self.storing:
            return Phase.STORING
        if self.trouble in DOUBTS and self.troubled:
            return Phase.RECONCILING
        return Phase.GENERATING if self.generation_attempts else Phase.QUEUED

    @property
    def cause(self) -> str | None:
        """In words, why it is not further, when that is known."""
        return self.trouble_words if self.troubled else None

    @property
    def over(self) -> bool:
        """Whether its final fact was heard."""
        return self.s3_key is not None or self.error_code is not None

    @property
    def over_at(self) -> datetime | None:
        """When that fact was said."""
        return self.stored_at if self.s3_key is not None else self.failed_at

    @property
    def storing(self) -> bool:
        """Whether it is known to exist, if only by a try to store it."""
        return self.generated_at is not None or self.upload_attempts > 0

    @property
    def troubled(self) -> bool:
        """Whether its last trouble still stands: it is not over, and nothing later was heard."""
        if self.over or self.trouble is None:
            return False
        if self.trouble is Trouble.NOT_STORED:
            return True  # a later try that is heard of has failed as well, and replaced it
        if self.storing or self.trouble_attempt < self.generation_attempts:
            return False
        return self.trouble is Trouble.FAILED or self.submitted_attempt < self.trouble_attempt

    def meet(self, trouble: Trouble, attempt: int, words: str, offset: int) -> None:
        """Keep the last trouble: storing comes after generating, then attempts count, then the kind.

        Of two that are alike, the lowest place in the log wins.
        """
        if _rank(trouble, attempt, offset) > _rank(self.trouble, self.trouble_attempt, self.trouble_offset):
            self.trouble, self.trouble_attempt = trouble, attempt
            self.trouble_words, self.trouble_offset = words, offset


def _rank(trouble: Trouble | None, attempt: int, offset: int) -> tuple[bool, int, int, int]:
    return trouble is Trouble.NOT_STORED, attempt, KINDS.index(trouble), -offset


def words_of(doubt: GenerationDoubted) -> str:
    """What a doubt says to people: whether the call is still looked for, or held until somebody decides."""
    if not doubt.held:
        return f"the provider's answer was lost, and the call is looked for: {doubt.cause}"
    until = f" until {doubt.until.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if doubt.until else ""
    return f"the call was not found, and is held for an operator{until}: {doubt.cause}"
