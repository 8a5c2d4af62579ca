"""How long a part that died stays down before it is started again. Pure."""

from dataclasses import dataclass, replace
from typing import Self

FIRST = 0.5  # seconds: long enough for a port to be given back
MOST = 30.0  # seconds: someone who has just repaired the cause is not kept waiting
STEADY = 60.0  # seconds: a part that stayed up this long died of something new


@dataclass(frozen=True)
class Backoff:
    """Doubles from FIRST to MOST with each death, and begins anew after a life of STEADY seconds."""

    deaths: int = 0

    def after(self, uptime: float) -> tuple[float, Self]:
        """The pause before the next start of a part that lived `uptime` seconds, and what to ask next time."""
        deaths = 0 if uptime >= STEADY else self.deaths
        return min(FIRST * 2**deaths, MOST), replace(self, deaths=deaths + 1)
