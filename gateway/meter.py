"""Pure: how many requests a caller may make. A bucket of tokens that all replicas share, of which each holds a few."""

import math
from dataclasses import dataclass

SPAN = 2.0  # seconds for which a replica leases tokens at once: what lasts longer, others may need
KEPT = 5.0  # seconds after which leased tokens that nobody used go back
SHARE = 20  # no more than this part of a full bucket is leased beyond what is waited for
GROWTH = 4  # times what was used last: two requests in a millisecond are not two thousand in a second
PAUSE = 0.05  # seconds before an empty bucket is asked again; tokens gather in it meanwhile


@dataclass(frozen=True, slots=True)
class Lease:
    """Tokens taken out of the shared bucket for one replica, and what the bucket has left."""

    tokens: int
    left: float


@dataclass(slots=True)
class Bucket:
    """Tokens that come in evenly, up to one minute's worth. Not shared: for a replica on its own."""

    per_minute: int
    tokens: float
    at: float

    def take(self, wanted: int, at: float) -> int:
        """Take up to `wanted` tokens, as far as there are any. Returns how many."""
        self.put(0, at)
        taken = min(wanted, int(self.tokens))
        self.tokens -= taken
        return taken

    def put(self, back: int, at: float) -> None:
        """Put tokens back, after those that came in. What does not fit is lost."""
        came = max(0.0, at - self.at) * self.per_minute / 60
        self.tokens, self.at = min(float(self.per_minute), self.tokens + came + back), max(at, self.at)


class Meter:
    """One caller at one replica: the tokens that are leased, and what is known of the bucket they came from."""

    def __init__(self, per_minute: int, at: float) -> None:
        """`per_minute` may be set anew at any time, and holds from the next lease on."""
        self.per_minute = per_minute
        self._held = self._stale = self._used = 0
        self._kept_until = self._empty_until = -math.inf
        self._left, self._asked_at = float(per_minute), at

    def take(self, at: float) -> bool:
        """Use one leased token. False when none is left, or those that are were kept for too long."""
        if self._held <= 0 or at >= self._kept_until:
            return False
        self._held -= 1
        self._used += 1
        return True

    def refused_for(self, at: float) -> float:
        """For how many seconds the bucket is known to have nothing for us; 0 when it is to be asked."""
        return max(0.0, self._empty_until - at)

    def wanted(self, waiting: int, at: float) -> int:
        """How many tokens to lease: one for each request that waits, or as many as were used lately, if more."""
        lately = math.ceil(self._used / max(at - self._asked_at, 1e-6) * SPAN)
        return max(waiting, 1, min(lately, self._used * GROWTH, self.per_minute // SHARE))

    def leased(self, lease: Lease, at: float) -> None:
        """Take in what was asked of the bucket at `at`."""
        self._stale += self._held
        self._held, self._kept_until, self._used = lease.tokens, at + KEPT, 0
        self._left, self._asked_at = lease.left, at
        if lease.left < 1:
            self._empty_until = at + max(PAUSE, (1 - lease.left) * 60 / self.per_minute)

    def give_back(self, at: float) -> int:
        """Take out the tokens that were kept for too long: they are the bucket's again."""
        back, self._stale = self._stale, 0
        if at >= self._kept_until:
            back, self._held = back + self._held, 0
        return back

    def left(self, at: float) -> int:
        """How many requests the caller may make now, as far as this replica knows."""
        came = max(0.0, at - self._asked_at) * self.per_minute / 60
        return min(self.per_minute, int(self._left + came) + self._held)

    def idle_for(self, at: float) -> float:
        """Seconds since the bucket was asked last."""
        return at - self._asked_at
