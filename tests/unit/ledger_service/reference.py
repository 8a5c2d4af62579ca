"""The fold once more, slow and written another way: every answer is looked up in the set of all facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from schemas.events import (
    DataRemoved,
    Event,
    GenerationDoubted,
    GenerationFailed,
    GenerationSubmitted,
    JobRequested,
    MediaGenerated,
    MediaStored,
    UploadFailed,
    UrlSource,
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

    def removed_at(self) -> datetime | None:
        return next((event.occurred_at for _, event in self.of(DataRemoved)), None)

    def prompt(self) -> str | None:
        request = self.request()
        if request is None:
            return None
        return "" if self.removed_at() else request.prompt

    def media_url(self, index: int) -> str | None:
        """That of the latest renewal, in its first words."""
        made = [event for _, event in self.of(MediaGenerated) if event.index == index]
        if not made or self.removed_at():
            return None
        latest = max(event.renewal for event in made)
        source = next(event.source for event in made if event.renewal == latest)
        assert isinstance(source, UrlSource)
        return source.url

    def trouble(self, index: int) -> GenerationDoubted | GenerationFailed | UploadFailed | None:
        """The failure or doubt that nothing has answered yet."""
        if self.stored(index) or self.failure(index):
            return None
        if uploads := [event for _, event in self.of(UploadFailed) if event.index == index]:
            return next(event for event in uploads if event.attempt == max(other.attempt for other in uploads))
        tried = self.calls(index)
        latest = [event for event in tried if event.attempt == max(other.attempt for other in tried)]
        if self.generated(index):
            return None
        for failed in latest:
            if isinstance(failed, GenerationFailed):
                return failed
        doubts = [event for event in latest if isinstance(event, GenerationDoubted)]
        if len(doubts) < len(latest):
            return None
        return next((event for held in (True, False) for event in doubts if event.held == held), None)

    def calls(self, index: int) -> list[GenerationSubmitted | GenerationFailed | GenerationDoubted]:
        """What was said of the provider's calls for an output, each kind as it lies in the log."""
        said: list[GenerationSubmitted | GenerationFailed | GenerationDoubted] = []
        said += [event for _, event in self.of(GenerationSubmitted)]
        said += [event for _, event in self.of(GenerationFailed)]
        said += [event for _, event in self.of(GenerationDoubted)]
        return [event for event in said if index in event.outputs]

    def phase(self, index: int) -> str:
        if self.status(index) not in ("PENDING", "PROCESSING"):
            return "done"
        if self.generated(index) or any(event.index == index for _, event in self.of(UploadFailed)):
            return "storing"
        if isinstance(self.trouble(index), GenerationDoubted):
            return "reconciling"
        return "generating" if self.calls(index) else "queued"

    def status(self, index: int) -> str:
        if self.stored(index):
            return "COMPLETED"
        if failure := self.failure(index):
            return {"cancelled": "CANCELLED", "deadline_exceeded": "EXPIRED"}.get(failure.code, "FAILED")
        tried = any(event.index == index for _, event in self.of(UploadFailed))
        return "PROCESSING" if self.calls(index) or self.generated(index) or tried else "PENDING"

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
                case GenerationSubmitted() | GenerationFailed() | GenerationDoubted() | MediaGenerated() as event:
                    subject = ("generation", event.generation)
                case MediaStored() | UploadFailed() as event:
                    subject = ("upload", event.index)
                case _:
                    continue
            highest[subject] = max(highest.get(subject, 1), event.attempt)
        return sum(attempt - 1 for attempt in highest.values())
