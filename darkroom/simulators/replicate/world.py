"""All that a simulated Replicate remembers."""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from darkroom.simulators.bill import Bill, BillEntry, digest
from darkroom.simulators.clock import SimulatedClock
from darkroom.simulators.faults import Fault, FaultPlan, Subject
from darkroom.simulators.post import Post
from darkroom.simulators.replicate.course import span_of
from darkroom.simulators.replicate.faults.courses import CourseFault
from darkroom.simulators.replicate.limits import Bucket
from darkroom.simulators.replicate.models import DEPLOYMENTS, MODELS, Shelf, SimulatedModel
from darkroom.simulators.replicate.prediction import Ask, Prediction, course_of, keeps_of, look_of, unlisted_of
from darkroom.simulators.replicate.settings import ReplicateSettings
from darkroom.simulators.signing import secret_of
from generator_service.providers.chance import Chance

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's, as in the recorded ids


@dataclass
class Line:
    """A line of the bill, while it is being written."""

    at: datetime
    call: str
    model: str | None
    input: dict[str, Any]
    webhook: str | None
    prediction: str | None = None
    answered: int | None = None
    client_disconnected: bool = False
    faults: tuple[str, ...] = ()


@dataclass
class World:
    """Predictions, the bill, what is left of the limits. `reset` makes it as new; clock and settings stay."""

    clock: SimulatedClock
    settings: ReplicateSettings
    seed: int
    faults: Sequence[Fault] = ()
    models: Sequence[SimulatedModel] = MODELS
    here: str = ""
    deployments: dict[str, str] = field(default_factory=lambda: dict(DEPLOYMENTS))

    def __post_init__(self) -> None:
        self.plan = FaultPlan(self.faults, self.seed)
        self.post = Post(self.clock)
        self.clear()

    def clear(self) -> None:
        """Forget every prediction, the bill and the deliveries, and start counting faults anew."""
        self.plan.restart()
        self.predictions: dict[str, Prediction] = {}
        self.by_token: dict[str, str] = {}
        self.changed: dict[str, asyncio.Event] = {}
        self.expired_files: set[str] = set()
        self.lines: list[Line] = []
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self.post.deliveries.clear()

    @property
    def base(self) -> str:
        """Where clients reach it."""
        return self.settings.public_url or self.here

    @property
    def secret(self) -> str:
        """What webhooks are signed with."""
        return self.settings.webhook_secret or secret_of(self.seed)

    @property
    def shelf(self) -> Shelf:
        """The models there are."""
        return Shelf(self.models, any_model=self.settings.any_model)

    def accept(self, ask: Ask) -> Prediction:
        """A new prediction. From here on it is charged, whatever becomes of the answer."""
        number, now = len(self.predictions) + 1, self.clock.now()
        chance = Chance("prediction", self.seed, number)
        spread = 1 + self.settings.latency_spread * chance.between(-1, 1)
        faults = self.plan.strike(Subject("create", ask.model.name, ask.input), CourseFault)
        wanted = ask.input.get("seed")
        prediction = Prediction(
            number, self._name("prediction", number, 26), self._name("files", number, 43),
            wanted if isinstance(wanted, int) else chance.whole(0, 2**31), ask,
            course_of(ask, self.settings.queue_seconds * spread, self.settings.run_seconds * spread, faults),
            look_of(ask, faults), now, keeps_of(self.settings.retention_seconds, faults), unlisted_of(faults),
        )  # fmt: skip
        self.predictions[prediction.id] = prediction
        self.by_token[prediction.token] = prediction.id
        return prediction

    def change(self, prediction: Prediction) -> Prediction:
        """The prediction is this from now on; whoever waits for it looks again."""
        self.predictions[prediction.id] = prediction
        if bell := self.changed.pop(prediction.id, None):
            bell.set()
        return prediction

    def bell(self, prediction_id: str) -> asyncio.Event:
        """Set once the prediction has changed."""
        return self.changed.setdefault(prediction_id, asyncio.Event())

    def between(self, after: datetime | None, before: datetime | None) -> list[tuple[int, Prediction]]:
        """The predictions created from `after` on and before `before` that the list shows, numbered, oldest first."""
        everything, now = list(self.predictions.values()), self.clock.now()
        first = bisect_left(everything, after, key=lambda one: one.created_at) if after else 0
        last = bisect_left(everything, before, key=lambda one: one.created_at) if before else len(everything)
        return [(one.number, one) for one in everything[first:last] if one.listed(now)]

    def links(self, prediction: Prediction) -> list[str]:
        """Where its outputs are served."""
        names = (f"out-{index}.{prediction.extension}" for index in range(prediction.course.outputs))
        return [f"{self.base}/delivery/{prediction.token}/{name}" for name in names]

    def bill(self) -> Bill:
        """What it would have cost, so far."""
        return Bill.of([self._entry(number, line) for number, line in enumerate(self.lines, start=1)])

    def use(self, faults: Sequence[Fault]) -> None:
        """These faults from now on; counting starts anew."""
        self.plan.use(faults)

    def tell(self, changes: dict[str, Any]) -> None:
        """Change the settings named."""
        self.settings = ReplicateSettings.model_validate(self.settings.model_dump() | changes)

    def _entry(self, number: int, line: Line) -> BillEntry:
        prediction, now = self.predictions.get(line.prediction or ""), self.clock.now()
        charged, seconds = False, 0.0
        if prediction:
            charged, span = prediction.charged(now), span_of(prediction.course)
            seconds = max(0.0, min(prediction.age(now), span.ended) - span.started)
        return BillEntry(
            number=number, at=line.at, call=line.call, model=line.model, input=line.input, webhook=line.webhook,
            input_sha256=digest(line.model, line.input), prediction=line.prediction, charged=charged,
            seconds=round(seconds, 6), answered=line.answered, client_disconnected=line.client_disconnected,
            faults=line.faults,
        )  # fmt: skip

    def _name(self, purpose: str, number: int, length: int) -> str:
        """Looks like luck, and is the same for the same seed."""
        drawn = int.from_bytes(sha256(f"{purpose} {self.seed} {number}".encode()).digest(), "big")
        return "".join(ALPHABET[drawn >> 5 * place & 31] for place in range(length))
