"""Why a generation failed: a closed list, with what each word means and whether trying again may help."""

import re
from collections.abc import Mapping
from enum import StrEnum

from generator_service.calls import Failed


class Code(StrEnum):
    """What went wrong, whoever the provider is. Its own code stands beside it in `Failed.provider_code`."""

    CONTENT_POLICY = "content_policy"
    """The provider refuses this prompt, or what came of it. It will again."""
    INVALID_INPUT = "invalid_input"
    """The model does not take this input as it is."""
    NOT_FOUND = "not_found"
    """The provider has no such model, or no longer has the call."""
    UNAUTHENTICATED = "unauthenticated"
    """The provider does not accept our token: an operator's matter."""
    FORBIDDEN = "forbidden"
    """The token may not use this model."""
    INSUFFICIENT_CREDIT = "insufficient_credit"
    """The account is empty. Nothing was spent; it may be filled by the next try."""
    MISCONFIGURED = "misconfigured"
    """The provider cannot work with how it was set up or asked, such as a callback URL it cannot reach."""
    OUT_OF_MEMORY = "out_of_memory"
    """The model ran out of memory, and would again with the same input."""
    NOT_STARTED = "not_started"
    """The call ended before the model began: it waited too long for a machine. Free."""
    PROVIDER_FAILED = "provider_failed"
    """The model broke. Another try may work, and may cost."""
    TIMED_OUT = "timed_out"
    """The model took longer than it is given, and was stopped."""
    CANCELLED = "cancelled"
    """Somebody stopped it."""
    NO_OUTPUT = "no_output"
    """It says that it succeeded, and made nothing. Paid for, so never tried again by itself."""
    BAD_OUTPUT = "bad_output"
    """It made something that is no media. Paid for, so never tried again by itself."""
    TOO_FEW_OUTPUTS = "too_few_outputs"
    """It made less than was asked for. Paid for, so never tried again by itself."""
    OUTPUT_EXPIRED = "output_expired"
    """It was made and is gone: the provider keeps outputs for an hour. Paid for, so never tried again by itself."""
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    """No such provider is set up here."""
    DEADLINE_EXCEEDED = "deadline_exceeded"
    """The job's own deadline passed before anything was asked."""
    OUTCOME_UNKNOWN = "outcome_unknown"
    """The answer was lost and never found. It may have been paid for, so it is never tried again by itself."""

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later, and nothing was paid for that would be paid again."""
        return self in RETRYABLE


OF_THE_ACCOUNT = frozenset({Code.UNAUTHENTICATED, Code.INSUFFICIENT_CREDIT})
"""Refusals that every other call of the account would get as well, until somebody has seen to it."""

RETRYABLE = frozenset(
    {Code.INSUFFICIENT_CREDIT, Code.NOT_STARTED, Code.PROVIDER_FAILED, Code.PROVIDER_UNAVAILABLE}
)  # fmt: skip

# Refusals come as free text. Too wide a net costs a try that would have failed; too narrow a one pays for it.
REFUSES_CONTENT = re.compile(
    r"nsfw|not safe for work|sensitive content|flagged as|inappropriate|explicit content|sexual|"
    r"safety (checker|filter|system|polic)|content (polic|filter|moderation|violation)|moderation|\(E005\)",
    re.IGNORECASE,
)
RAN_OUT_OF_MEMORY = re.compile(r"out of memory|OutOfMemory", re.IGNORECASE)
PROVIDER_CODE = re.compile(r"\b(E\d{3,4})\b|\(code: ([A-Z]{1,4})\)")

# What Replicate documents of its own codes; any other is the model's matter.
KNOWN_CODES: Mapping[str, Code] = {
    "E1000": Code.PROVIDER_FAILED,
    "E1001": Code.OUT_OF_MEMORY,
    "E4875": Code.MISCONFIGURED,
    "E6716": Code.NOT_STARTED,
}


def failed(code: Code, message: str, provider_code: str | None = None) -> Failed:
    """A failure of this kind."""
    return Failed(code.value, message, retryable=code.retryable, provider_code=provider_code)


def provider_code_in(text: str) -> str | None:
    """The provider's own code that an error text names."""
    named = PROVIDER_CODE.search(text)
    return (named[1] or named[2]) if named else None


def code_of(text: str) -> Code:
    """What a failed call's error text means. A refusal of the content counts before anything else it says."""
    if REFUSES_CONTENT.search(text):
        return Code.CONTENT_POLICY
    known = KNOWN_CODES.get(provider_code_in(text) or "")
    if known is not None:
        return known
    return Code.OUT_OF_MEMORY if RAN_OUT_OF_MEMORY.search(text) else Code.PROVIDER_FAILED
