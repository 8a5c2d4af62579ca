"""Holds a provider's list of calls against our own books."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from generator_service.operations import Operations
from generator_service.providers.billing import Billed

GRACE = timedelta(minutes=2)
"""How old a call must be to be judged: an answer on its way is in no book yet. Twice the default call timeout."""
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class BillCheck:
    """What the provider's list shows beside our books."""

    provider: str
    since: datetime
    until: datetime
    listed: int
    ours: int
    submitted: int
    """Calls in our books that the provider accepted in that time."""
    held: int
    """Calls of ours whose answers were lost: extras may be theirs."""
    extras: tuple[Billed, ...]
    """Calls in the list that nobody here submitted."""

    @property
    def another_account(self) -> bool:
        """We submitted calls and the list shows none of them: it is somebody else's list, and proves nothing."""
        return self.submitted > 0 and self.ours == 0

    @property
    def alarm(self) -> bool:
        """Whether somebody must look at it."""
        return bool(self.extras) or self.another_account


async def check_bill(
    operations: Operations, provider: str, bill: AsyncIterator[Billed], since: datetime, until: datetime
) -> BillCheck:
    """Compare what `bill` lists from `since` to `until` with what we submitted. Changes nothing.

    The list is read first: what was submitted meanwhile is in our books by then.
    """
    listed = [billed async for billed in bill if billed.created_at <= until]
    extras: list[Billed] = []
    for some in _portions(listed):
        known = await operations.ours(provider, [billed.provider_id for billed in some])
        extras += [billed for billed in some if billed.provider_id not in known]
    held = sum(each.provider == provider for each in await operations.held())
    submitted = await operations.submitted(provider, since, until)
    return BillCheck(
        provider, since, until, len(listed), len(listed) - len(extras), submitted, held, tuple(extras)
    )  # fmt: skip


def _portions(listed: Sequence[Billed]) -> list[Sequence[Billed]]:
    return [listed[start : start + AT_ONCE] for start in range(0, len(listed), AT_ONCE)]
