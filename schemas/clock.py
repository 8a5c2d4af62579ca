"""The one way to ask what time it is, so that tests can answer instead."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, in UTC. Shown to people and stored; never compared between machines."""
    return datetime.now(UTC)
