"""Pure: what a run of `spend` shows, and whether it proves anything."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from generator_service.plan import derived_seed
from schemas.events import JobRequested

WORTHLESS = frozenset({"failed", "aborted"})
"""How a call ends that may be asked for again: it is known to have made nothing."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The one line that a run prints."""

    seed: int
    kills: int
    pauses: int
    outputs: int
    emitted: int
    charges: int
    doubly_paid: int
    reattached: int
    held: int
    recovered_p99_s: float

    def complaints(self) -> Iterator[str]:
        """What is wrong with it; nothing when the promise held, and was put to the test."""
        if self.doubly_paid:
            yield f"{self.doubly_paid} outputs were paid for twice"
        if self.emitted + self.held != self.outputs:
            yield f"{self.outputs} outputs were asked for; {self.emitted} were emitted and {self.held} are held"
        if self.reattached + self.held == 0:
            yield "proved nothing: no call was ever in doubt"

    def line(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of the simulator's bill that costs something, and what became of the call."""

    prediction: str
    seed: int
    status: str


def charges_in(bill: Mapping[str, Any], predictions: Iterable[Mapping[str, Any]]) -> list[Charge]:
    """What was charged, by the simulator's own books."""
    status = {prediction["id"]: prediction["status"] for prediction in predictions}
    return [
        Charge(entry["prediction"], entry["input"]["seed"], status[entry["prediction"]])
        for entry in bill["entries"]
        if entry["charged"]
    ]


def doubly_paid(charges: Iterable[Charge], jobs: Iterable[JobRequested]) -> int:
    """Outputs that were paid for again while an earlier call for them had made them, or may have.

    One call makes all outputs of a job here, under a seed that no other job has. A call that is known to have failed
    may be made again, and is no second payment.
    """
    outputs = {derived_seed(job.job_id, job.revision): job.num_outputs for job in jobs}
    made = Counter(charge.seed for charge in charges if charge.status not in WORTHLESS)
    return sum((times - 1) * outputs[seed] for seed, times in made.items() if times > 1)


def unpaid(charges: Iterable[Charge], jobs: Iterable[JobRequested], emitted: Iterable[tuple[UUID, int]]) -> set[UUID]:
    """Jobs with an output that was emitted and that no charged call can have made."""
    paid = {charge.seed for charge in charges if charge.status == "succeeded"}
    seeds = {job.job_id: derived_seed(job.job_id, job.revision) for job in jobs}
    return {job_id for job_id, _ in emitted if seeds[job_id] not in paid}
