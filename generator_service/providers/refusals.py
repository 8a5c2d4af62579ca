"""What an HTTP refusal means: the same for everybody who speaks HTTP as it is meant."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from generator_service.calls import Call, Failed, Throttled, Unknown
from generator_service.errors import REFUSES_CONTENT, Code, failed, provider_code_in
from generator_service.providers.discretion import discreet
from generator_service.providers.transport import Refused

# With these nothing was accepted. 408 and 5xx are not among them: something in between may have said so.
SURELY_REFUSED: Mapping[int, Code] = {
    400: Code.INVALID_INPUT,
    401: Code.UNAUTHENTICATED,
    402: Code.INSUFFICIENT_CREDIT,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    405: Code.MISCONFIGURED,
    410: Code.NOT_FOUND,
    413: Code.INVALID_INPUT,
    414: Code.INVALID_INPUT,
    415: Code.MISCONFIGURED,
    422: Code.INVALID_INPUT,
}
WITHOUT_A_HINT = 5.0  # seconds
LONGEST_WAIT = 3_600.0  # seconds: a limit that lasts longer is looked at again
RESETS_IN = re.compile(r"~\s*(\d+(?:\.\d+)?)\s*s\b")
FIELDS_NAMED = 5


def refused(refusal: Refused, call: Call, at: datetime) -> Failed | Throttled | Unknown:
    """What it means that a call was answered so."""
    body = _told(refusal.body)
    if refusal.status == 429:
        return Throttled(retry_after(refusal, at), "the provider asks for fewer calls")
    code = SURELY_REFUSED.get(refusal.status)
    if code is None:
        return Unknown(f"the provider answered HTTP {refusal.status}")
    detail = body.get("detail")
    words = detail if isinstance(detail, str) else ""
    if REFUSES_CONTENT.search(words):
        return failed(Code.CONTENT_POLICY, "the provider refuses this content", provider_code_in(words))
    fields = "; ".join(list(_fields(body))[:FIELDS_NAMED])
    said = discreet(fields or words, call) or f"HTTP {refusal.status}"
    return failed(code, f"the provider did not accept the call: {said}", provider_code_in(words))


def retry_after(refusal: Refused, at: datetime) -> timedelta:
    """How long to wait, by what is trusted most: Retry-After, the body's number, its words, the limit's reset."""
    body = _told(refusal.body)
    detail = body.get("detail")
    worded = RESETS_IN.search(detail) if isinstance(detail, str) else None
    hints = (
        refusal.headers.get("retry-after"),
        body.get("retry_after"),
        worded[1] if worded else None,
        refusal.headers.get("ratelimit-reset"),
    )
    for hint in hints:
        seconds = _seconds(hint, at)
        if seconds is not None:
            return timedelta(seconds=min(seconds, LONGEST_WAIT))
    return timedelta(seconds=WITHOUT_A_HINT)


def _told(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(hint: Any, at: datetime) -> float | None:
    """A number of seconds, or the time until a date; None for anything else."""
    if hint is None or isinstance(hint, bool):
        return None
    try:
        seconds = float(hint)
    except OverflowError:
        return None
    except (TypeError, ValueError):
        seconds = _until(str(hint), at)
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _until(date: str, at: datetime) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return -1.0
    return (moment - at).total_seconds() if moment.tzinfo else -1.0


def _fields(body: Mapping[str, Any]) -> Iterator[str]:
    """What is said about single fields: Replicate's `invalid_fields`, or the `detail` list of pydantic's servers."""
    for listed in (body.get("invalid_fields"), body.get("detail")):
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, dict):
                path = entry.get("loc")
                name = ".".join(map(str, path)) if isinstance(path, list) else entry.get("field")
                yield f"{name}: {entry.get('description') or entry.get('msg') or entry.get('type') or 'wrong'}"
