"""When to try again."""

import random


def delay_before(attempt: int, *, initial: float, maximum: float, chance: float | None = None) -> float:
    """Seconds to wait before try `attempt` + 1, after `attempt` tries (from 1).

    Exponential with full jitter: anywhere between nothing and `initial` * 2^(attempt-1), at most `maximum`,
    so that what failed together does not come back together. `chance` in 0..1 replaces the dice.
    """
    ceiling: float = min(maximum, initial * 2.0 ** min(attempt - 1, 60))
    return ceiling * (random.random() if chance is None else chance)  # noqa: S311 - jitter, not a secret
