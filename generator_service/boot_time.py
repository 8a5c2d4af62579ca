"""The clock that claims run out by: it goes on while the machine sleeps, and nobody can set it."""

import time

CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS has no BOOTTIME; its MONOTONIC counts sleep


def boot_time() -> float:
    """Seconds since this machine started. Means nothing on another one."""
    return time.clock_gettime(CLOCK)
