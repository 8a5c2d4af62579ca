"""The inside of a simulated Cog container: its slots, its runs, its webhooks, its bill."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from math import inf
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from darkroom.simulators.bill import BillEntry, digest
from darkroom.simulators.clock import SimulatedClock
from darkroom.simulators.cog.run import Run, shown
from darkroom.simulators.faults import FaultPlan, Subject
from darkroom.simulators.media import data_uri, drawn
from darkroom.simulators.post import RETRIES, Post
from darkroom.simulators.replicate.course import Course, happenings, span_of
from darkroom.simulators.replicate.faults.courses import CourseFault, Fail, OutputCount, Slow, Stuck
from darkroom.simulators.replicate.faults.webhooks import WebhookDuplicated, WebhookFault, WebhookLate, WebhookLost
from darkroom.simulators.replicate.validate import EVENTS


class CogSettings(BaseModel):
    """The numbers of a container."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_seconds: float = Field(0.4, ge=0)
    slots: int = Field(1, ge=1, description="Predictions at a time (`concurrency.max`).")
    picture_side: int = Field(512, ge=16, le=2048)


class Container:
    """Takes on runs while it has slots. All of it is forgotten by `clear`."""

    def __init__(self, clock: SimulatedClock, settings: CogSettings, plan: FaultPlan) -> None:
        self.clock, self.settings, self.plan = clock, settings, plan
        self.post = Post(clock)
        self.runs: list[Run] = []
        self.lines: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def running(self) -> list[Run]:
        """Those that have not ended."""
        now = self.clock.now()
        return [run for run in self.runs if not run.ended(now)]

    def start(self, prediction_id: str | None, body: dict[str, Any]) -> Run:
        """Take on a run. From here on it costs."""
        given = body.get("input") or {}
        events = frozenset(body.get("webhook_events_filter") or EVENTS)
        course = self._course(given, self.plan.strike(Subject("create", None, given), CourseFault))
        number = len(self.runs) + 1
        run = Run(number, prediction_id, given, body.get("webhook"), events, course, self.clock.now())
        self.runs.append(run)
        if run.webhook:
            self._begin(self._follow(number))
        return run

    def cancel(self, prediction_id: str) -> bool:
        """End the run with that id. False when none is running."""
        for run in self.running():
            if run.id == prediction_id:
                course = replace(run.course, canceled=run.age(self.clock.now()))
                self.runs[run.number - 1] = replace(run, course=course)
                self._changed.set()
                self._changed = asyncio.Event()
                return True
        return False

    async def until_ended(self, number: int) -> Run:
        """Wait for the end of a run, whatever it is."""
        while not (run := self.runs[number - 1]).ended(self.clock.now()):
            await self._until(run, span_of(run.course).ended)
        return run

    async def seen(self, run: Run, now: datetime) -> dict[str, Any]:
        """The run as JSON, at that time."""
        files = []
        if run.standing(now).status == "succeeded":
            side = self.settings.picture_side
            for index in range(run.course.outputs):
                content = await drawn("cog", run.input, run.seed, index, run.extension, side)
                files.append(data_uri(content, run.extension))
        return shown(run, now, files)

    def entry(self, number: int, line: dict[str, Any]) -> BillEntry:
        """A line of the bill."""
        run: Run | None = line["run"] and self.runs[line["run"] - 1]
        seconds = 0.0
        if run:
            span = span_of(run.course)
            seconds = max(0.0, min(run.age(self.clock.now()), span.ended) - span.started)
        return BillEntry(
            number=number, at=line["at"], call=line["call"], model=None, input=line["input"], webhook=line["webhook"],
            input_sha256=digest(None, line["input"]), prediction=(run.id or str(run.number)) if run else None,
            charged=run is not None, seconds=round(seconds, 6), answered=line["answered"],
            client_disconnected=line["client_disconnected"], faults=line["faults"],
        )  # fmt: skip

    def clear(self) -> None:
        """Forget every run, the bill and the deliveries."""
        for task in self._tasks:
            task.cancel()
        self.runs.clear()
        self.lines.clear()
        self.post.deliveries.clear()

    async def stop(self) -> None:
        """Send nothing more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.post.close()

    def _course(self, given: dict[str, Any], faults: list[CourseFault]) -> Course:
        wanted = given.get("num_outputs", 1)
        course = Course(0.0, self.settings.run_seconds, wanted if isinstance(wanted, int) else 1)
        for fault in faults:
            if isinstance(fault, Fail):
                course = replace(course, error=fault.error)
            elif isinstance(fault, OutputCount):
                course = replace(course, outputs=fault.count)
            elif isinstance(fault, Slow) and fault.run_seconds is not None:
                course = replace(course, run=fault.run_seconds)
            elif isinstance(fault, Stuck):
                course = replace(course, run=inf)
        return course

    async def _until(self, run: Run, age: float) -> None:
        """Wait until the run is so old, or some run has changed."""
        changed = asyncio.ensure_future(self._changed.wait())
        waiting: list[asyncio.Future[Any]] = [changed]
        if age < inf:
            waiting.append(self.clock.alarm(run.at(age)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def _follow(self, number: int) -> None:
        """Send a run's webhooks as they fall due."""
        seen = -1.0
        while True:
            run = self.runs[number - 1]
            due = [one for one in happenings(run.course) if one[0] > seen or one[1] == "completed"]
            age = due[0][0] if due else inf
            if run.age(self.clock.now()) < age:
                await self._until(run, age)
                continue
            for _, event in [one for one in due if one[0] == age]:
                if event in run.events:
                    await self._hand_over(run, event, age)
                if event == "completed":
                    return
            seen = age

    async def _hand_over(self, run: Run, event: str, age: float) -> None:
        faults = {type(one): one for one in self.plan.strike(Subject("webhook", None, run.input, event), WebhookFault)}
        late, double = faults.get(WebhookLate), faults.get(WebhookDuplicated)
        if WebhookLost in faults:
            return
        copies = double.copies if isinstance(double, WebhookDuplicated) else 1
        body = await self.seen(run, run.at(age))
        if isinstance(late, WebhookLate):
            self._begin(self._send(run, event, body, copies, late.seconds))
        else:
            await self._send(run, event, body, copies, 0.0)

    async def _send(self, run: Run, event: str, body: dict[str, Any], copies: int, wait: float) -> None:
        await self.clock.sleep(wait)
        raw = json.dumps(body, separators=(",", ":")).encode()
        about = {"prediction": run.id or str(run.number), "event": event, "status": body["status"]}
        for _ in range(copies):
            tries = 1 + len(RETRIES) * (event == "completed")
            await self.post.send(run.webhook or "", raw, {}, about, tries=tries)

    def _begin(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
