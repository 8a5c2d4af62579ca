"""How many calls a token may make. Pure: the time is told."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """So many a minute, and so many at once."""

    per_minute: int
    burst: int


@dataclass(frozen=True)
class Bucket:
    """What a token has left of a limit, in calls, and when that was counted."""

    left: float
    at: float


@dataclass(frozen=True)
class Leave:
    """The answer: go on or not, and what the rate limit headers say."""

    granted: bool
    remaining: int
    reset: int  # seconds
    wait: int  # seconds until a call would be let through; 0 when this one is


def take(limit: Limit, bucket: Bucket | None, now: float) -> tuple[Leave, Bucket]:
    """Ask for one call. A refused one counts as well: who asks faster than the bucket fills never gets through."""
    rate = limit.per_minute / 60
    before = limit.burst if bucket is None else min(limit.burst, bucket.left + (now - bucket.at) * rate)
    after = max(-1.0, before - 1)
    granted = before >= 1
    wait = 0 if granted else max(1, math.ceil((1 - after) / rate))
    reset = max(1, math.ceil((limit.burst - after) / rate)) if granted else wait
    return Leave(granted, max(0, math.floor(after)), reset, wait), Bucket(after, now)


def headers(leave: Leave) -> dict[str, str]:
    """As recorded."""
    return {"ratelimit-remaining": str(leave.remaining), "ratelimit-reset": str(leave.reset)}


def throttled(seconds: int, body: str) -> dict[str, object]:
    """The three bodies of a 429: `plain` and `low_credit` were seen in the wild, `bare` gives no hint."""
    reset = f"Your rate limit resets in ~{seconds}s."
    if body == "plain":
        return {"detail": f"Request was throttled. {reset}"}
    if body == "bare":
        return {"detail": "Request was throttled.", "status": 429}
    reduced = (
        "Your rate limit for creating predictions is reduced to 6 requests per minute with a burst of 1 requests "
        "while you have less than $5.0 in credit."
    )
    return {"detail": f"Request was throttled. {reduced} {reset}", "status": 429, "retry_after": seconds}
