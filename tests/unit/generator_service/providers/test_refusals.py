"""What HTTP refusals mean."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from generator_service.calls import Call, Failed, Throttled, Unknown
from generator_service.errors import Code
from generator_service.providers.refusals import refused, retry_after
from generator_service.providers.transport import Refused

NOON = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
CALL = Call(
    generation_id=uuid4(), attempt=1, outputs=(0,), model="owner/name", prompt="a lighthouse at night", num_outputs=1,
    seed=7, output_format=None, input={"style": "as my grandmother painted it"},
)  # fmt: skip


def a_refusal(status: int, body: Any = None, **headers: str) -> Refused:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refused(status, httpx.Headers(named), b"" if body is None else json.dumps(body).encode())


HINTS = {
    "the header before all": (a_refusal(429, {"retry_after": 9, "detail": "~30s"}, Retry_After="3"), 3),
    "the body's number next": (a_refusal(429, {"retry_after": 9, "detail": "in ~30s"}, ratelimit_reset="1"), 9),
    "its words next": (a_refusal(429, {"detail": "Your rate limit resets in ~30s."}, ratelimit_reset="1"), 30),
    "the limit's reset last": (a_refusal(429, {"detail": "Slow down"}, ratelimit_reset="1"), 1),
    "nothing": (a_refusal(429), 5),
    "a date": (a_refusal(429, Retry_After="Mon, 12 Jan 2026 12:00:20 GMT"), 20),
    "a date gone by": (a_refusal(429, Retry_After="Mon, 12 Jan 2026 11:00:00 GMT"), 5),
    "a word": (a_refusal(429, Retry_After="soon"), 5),
    "less than nothing": (a_refusal(429, Retry_After="-4"), 5),
    "no number": (a_refusal(429, {"retry_after": float("nan")}), 5),
    "more than a float holds": (Refused(429, {}, b'{"retry_after": %s}' % (b"9" * 400)), 5),
    "a date beyond all": (a_refusal(429, Retry_After=f"Mon, 12 Jan {'9' * 20} 12:00:20 GMT"), 5),
    "truth": (a_refusal(429, {"retry_after": True}), 5),
    "years": (a_refusal(429, Retry_After="999999999"), 3_600),
    "no object": (a_refusal(429, ["not", "an", "object"]), 5),
}


@pytest.mark.parametrize("hint", HINTS)
def test_the_most_trusted_hint_says_how_long_to_wait(hint: str) -> None:
    refusal, seconds = HINTS[hint]

    assert retry_after(refusal, NOON) == timedelta(seconds=seconds)
    assert isinstance(refused(refusal, CALL, NOON), Throttled)


@pytest.mark.parametrize("status", [301, 408, 409, 425, 500, 502, 503, 504, 524])
def test_what_may_have_been_accepted_is_unknown(status: int) -> None:
    assert isinstance(refused(a_refusal(status), CALL, NOON), Unknown)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.INVALID_INPUT),
        (401, Code.UNAUTHENTICATED),
        (402, Code.INSUFFICIENT_CREDIT),
        (403, Code.FORBIDDEN),
        (404, Code.NOT_FOUND),
        (413, Code.INVALID_INPUT),
        (422, Code.INVALID_INPUT),
    ],
)
def test_what_was_surely_refused_has_a_code(status: int, code: Code) -> None:
    outcome = refused(a_refusal(status), CALL, NOON)

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (code, code.retryable)


def test_a_refusal_of_the_content_is_one_whatever_its_status() -> None:
    outcome = refused(a_refusal(400, {"detail": "Your prompt was flagged as sensitive."}), CALL, NOON)

    assert isinstance(outcome, Failed)
    assert outcome.code == Code.CONTENT_POLICY


def test_wrong_fields_are_named() -> None:
    ours = {"invalid_fields": [{"field": "input.width", "description": "Must be less than 2048", "type": "number_lte"}]}
    cogs = {"detail": [{"loc": ["body", "input", "width"], "msg": "ensure this is less than 2048"}]}

    for body, named in ((ours, "input.width: Must be less"), (cogs, "body.input.width: ensure this is less")):
        outcome = refused(a_refusal(422, body), CALL, NOON)
        assert isinstance(outcome, Failed)
        assert named in outcome.message


@pytest.mark.parametrize(
    "words",
    [
        "cannot draw A  LIGHTHOUSE at Night",
        "what is 'my grandmother pai'?",
        "grandmother painted",
    ],
)
def test_words_that_repeat_the_input_are_withheld(words: str) -> None:
    outcome = refused(a_refusal(422, {"detail": words}), CALL, NOON)

    assert isinstance(outcome, Failed)
    assert "withheld" in outcome.message
