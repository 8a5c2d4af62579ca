"""Pure: how many calls may be made now. One token bucket per provider account, and a cap per day."""

from dataclasses import dataclass, replace
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider's account allows. None: no limit."""

    per_minute: float | None = None
    burst: int = 60
    calls_a_day: int | None = None
    cost_a_day: int | None = None
    dearest: int = 1
    """What the dearest model's call costs."""


@dataclass(frozen=True, slots=True)
class Account:
    """A provider's account as all replicas share it."""

    provider: str
    tokens: float
    filled_at: datetime
    blocked_until: datetime | None
    day: date
    calls: int
    cost_units: int


def refilled(account: Account, limits: Limits, at: datetime) -> Account:
    """The account at this moment: tokens that came in, and a new day's spending begun. The day is UTC's.

    Replicas' clocks differ, so time never goes back here: that would let the same seconds come in twice.
    """
    if account.day < at.date():
        account = replace(account, day=at.date(), calls=0, cost_units=0)
    seconds = max(0.0, (at - account.filled_at).total_seconds())
    came = seconds * (limits.per_minute or 0) / 60
    tokens = min(float(limits.burst), account.tokens + came)
    return replace(account, tokens=tokens, filled_at=max(at, account.filled_at))


def allowed(account: Account, limits: Limits, at: datetime) -> int:
    """How many calls may be claimed now, by an account that is refilled. At most a thousand."""
    if account.blocked_until is not None and at < account.blocked_until:
        return 0
    ceilings = [1_000]
    if limits.per_minute is not None:
        ceilings.append(int(account.tokens))
    if limits.calls_a_day is not None:
        ceilings.append(limits.calls_a_day - account.calls)
    if limits.cost_a_day is not None:
        # A call's cost is known when it is claimed; one at a time near the cap, so that it is passed by one at most.
        left = limits.cost_a_day - account.cost_units
        ceilings.append(0 if left <= 0 else max(1, left // max(1, limits.dearest)))
    return max(0, min(ceilings))


def spent(account: Account, calls: int, cost_units: int) -> Account:
    """The account after that many calls were claimed."""
    return replace(
        account,
        tokens=account.tokens - calls,
        calls=account.calls + calls,
        cost_units=account.cost_units + cost_units,
    )
