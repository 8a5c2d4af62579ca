"""The fold once more, slow and written another way: every answer is looked up in the set of all facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from schemas.events import (
    Event,
    GenerationFailed,
    GenerationSubmitted,
    JobRequested,
    MediaGenerated,
    MediaStored,
    UploadFailed,
)
from tests.unit.ledger_service.histories import Said

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Facts:
    """Everything that was ever said of a job, in no order."""

    said: Sequence[Said]

    def of(self, kind: type[E]) -> list[tuple[int, E]]:
        """Those of one kind, the first in the log first."""
        found = [(said.position.offset, said.event) for said in self.said if isinstance(said.event, kind)]
        return sorted(found, key=lambda pair: pair[0])

    def request(self) -> JobRequested | None:
        requests = self.of(JobRequested)
        return requests[0][1] if requests else None

    def stored(self, index: int) -> MediaStored | None:
        return next((event for _, event in self.of(MediaStored) if event.index == index), None)

    def generated(self, index: int) -> MediaGenerated | None:
        return next((event for _, event in self.of(MediaGenerated) if event.index == index), None)

    def submitted_at(self, index: int) -> datetime | None:
        times = [event.occurred_at for _, event in self.of(GenerationSubmitted) if index in event.outputs]
        return min(times, default=None)

    def failure(self, index: int) -> GenerationFailed | UploadFailed | None:
        calls = [event for _, event in self.of(GenerationFailed) if index in event.outputs and event.final]
        uploads = [event for _, event in self.of(UploadFailed) if event.index == index and event.final]
        failures: list[GenerationFailed | UploadFailed] = [*calls, *uploads]
        return next(iter(failures), None)

    def status(self, index: int) -> str:
        if self.stored(index):
            return "COMPLETED"
        if failure := self.failure(index):
            return {"cancelled": "CANCELLED", "deadline_exceeded": "EXPIRED"}.get(failure.code, "FAILED")
        asked = any(index in event.outputs for _, event in self.of(GenerationSubmitted)) or any(
            index in event.outputs for _, event in self.of(GenerationFailed)
        )
        return "PROCESSING" if asked or self.generated(index) else "PENDING"

    def job_status(self) -> str:
        request = self.request()
        if request is None:
            return "PENDING"
        seen = {self.status(index) for index in range(request.num_outputs)}
        for alone in ("PENDING", "COMPLETED"):
            if seen == {alone}:
                return alone
        if seen & {"PENDING", "PROCESSING"}:
            return "PROCESSING"
        return next(
            status
            for status, is_it in (
                ("PARTIAL", "COMPLETED" in seen), ("FAILED", "FAILED" in seen), ("EXPIRED", "EXPIRED" in seen),
                ("CANCELLED", True),
            )
            if is_it
        )  # fmt: skip

    def completed_at(self) -> datetime | None:
        request = self.request()
        if request is None or self.job_status() in ("PENDING", "PROCESSING"):
            return None
        ends = [self.stored(index) or self.failure(index) for index in range(request.num_outputs)]
        return max(end.occurred_at for end in ends if end)

    def retries(self) -> int:
        """Attempts after the first, over calls and uploads."""
        highest: dict[tuple[str, int], int] = {}
        for said in self.said:
            match said.event:
                case GenerationSubmitted() | GenerationFailed() | MediaGenerated() as event:
                    subject = ("generation", event.generation)
                case MediaStored() | UploadFailed() as event:
                    subject = ("upload", event.index)
                case _:
                    continue
            highest[subject] = max(highest.get(subject, 1), event.attempt)
        return sum(attempt - 1 for attempt in highest.values())
