"""What this machine lets us use."""

import os


def cores() -> int:
    """The cores that this process and what it starts may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
