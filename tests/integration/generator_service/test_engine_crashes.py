"""The engine on a real PostgreSQL, two of it, crashed after any step: what is paid for is paid for once, and all ends.

The same examples each time. `CRASH_ROUNDS=100` searches for longer and makes what it finds short.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)  # fmt: skip
from structlog.testing import capture_logs

from generator_service.calls import Capability
from generator_service.tables import SCHEMA
from schemas.events import CancelRequested, JobRequested, RetryRequested
from stage.database import Pool, new_pool
from tests.integration.generator_service.conftest import empty
from tests.integration.generator_service.pretend import KINDS, Fate, Luck, Reply
from tests.integration.generator_service.processes import LEASE, Death
from tests.integration.generator_service.scene import ROUTES, Scene

T = TypeVar("T")

MOST_REQUESTS = 5

# Where nothing is chosen the first counts: trouble is more telling than none.
REPLY = st.sampled_from([*Reply, Reply.ACCEPTED_AND_LOST, Reply.REFUSED_FOR_NOW])
LUCK = st.builds(
    Luck, reply=REPLY, fate=st.sampled_from(Fate), seconds=st.sampled_from([30, 0, 300]),
    lag=st.sampled_from([0, 20]), deaf=st.sampled_from([False, False, True]),
)  # fmt: skip
LUCKS = st.lists(LUCK, min_size=1, max_size=4).map(deque)
MODELS = st.sampled_from(sorted(ROUTES))
OUTPUTS = st.integers(1, 2)
WHO = st.sampled_from([0, 1])
NTH = st.integers(0, 20)
SELDOM = st.sampled_from([False, False, False, True])

LONGER = os.environ.get("CRASH_ROUNDS")
# Of more examples in a round many would be slight changes of one, which is not what finds anything here. To make a
# failure short takes minutes, so that is left to whoever looks into it.
SCOPE = settings(
    max_examples=10, stateful_step_count=40, deadline=None, print_blob=True, database=None, report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink] if LONGER else [Phase.generate],
)  # fmt: skip


class Engine(RuleBasedStateMachine):
    """Whatever people, providers and crashes may do, in any order."""

    def __init__(
        self, pool: Pool, kind: frozenset[Capability], run: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:  # fmt: skip
        super().__init__()
        self.run, self.scene = run, Scene(pool, kind)
        self.run(empty(pool))

    # What people do

    @initialize(outputs=OUTPUTS, alike=SELDOM)
    def first_requests(self, outputs: int, alike: bool) -> None:
        for model in ROUTES:
            self.scene.request(model, outputs, alike=alike)
        self.run(self.scene.hear(JobRequested.topic))

    @precondition(lambda self: len(self.scene.requests) < MOST_REQUESTS)
    @rule(
        model=MODELS,
        outputs=OUTPUTS,
        alike=SELDOM,
        expires=SELDOM,
        before=st.sampled_from([None, None, None, CancelRequested, RetryRequested]),
    )
    def request(self, *, model: str, outputs: int, alike: bool, expires: bool, before: Any) -> None:
        """One more job; perhaps its cancel or retry is heard before it."""
        job = self.scene.request(model, outputs, alike=alike, expires=expires)
        if before is CancelRequested:
            self.scene.cancel(job)
        elif before is RetryRequested:
            self.scene.alike.add(job.prompt)  # two revisions are made at one time
            self.scene.retry(job, range(outputs))
        if before is not None:
            self.run(self.scene.hear(before.topic))

    @rule(nth=NTH)
    def cancel(self, nth: int) -> None:
        self.scene.cancel(self.scene.requests[nth % len(self.scene.requests)])

    @precondition(lambda self: self.scene.failed_outputs())
    @rule(nth=NTH)
    def retry(self, nth: int) -> None:
        failed = sorted(self.scene.failed_outputs().items())
        job_id, outputs = failed[nth % len(failed)]
        job = next(each for each in self.scene.requests if each.job_id == job_id)
        self.scene.retry(job, outputs)
        self.run(self.scene.hear(RetryRequested.topic))

    @precondition(lambda self: self.scene.held())
    @rule(nth=NTH)
    def give_up(self, nth: int) -> None:
        held = self.scene.held()
        self.run(self.scene.operations.give_up(held[nth % len(held)]["id"], self.scene.now))

    @precondition(lambda self: self.scene.held() and self.scene.world.accepted)
    @rule(nth=NTH, which=NTH)
    def adopt(self, nth: int, which: int) -> None:
        """Somebody says which call it is, and is right, or names one that is another's."""
        held = self.scene.held()
        row = held[nth % len(held)]
        own = [each for each in self.scene.world.accepted if each.call.generation_id == row["id"]]
        if choices := own + self.scene.taken():
            chosen = choices[which % len(choices)].id
            self.run(self.scene.operations.adopt(row["id"], chosen, self.scene.now))

    @rule(paused=st.booleans())
    def brake(self, paused: bool) -> None:
        self.run(self.scene.brake(paused=paused))

    # What the outside world does

    @rule(seconds=st.sampled_from([10, 1, 70]))
    def wait(self, seconds: int) -> None:
        self.scene.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.unheard())
    @rule(nth=NTH, many=st.integers(1, 3))
    def hear(self, nth: int, many: int) -> None:
        """Topics are read side by side, each at its own pace."""
        topics = self.unheard()
        self.run(self.scene.hear(topics[nth % len(topics)], many))

    @rule(nth=NTH, start=NTH, many=st.integers(1, 10))
    def replay(self, nth: int, start: int, many: int) -> None:
        """A topic is read again from some place that was read before."""
        topics = sorted(topic for topic, events in self.scene.log.items() if events)
        topic = topics[nth % len(topics)]
        if read := self.scene.heard[topic]:
            start %= read
            self.run(self.scene.replay(topic, start, min(many, read - start)))

    @precondition(lambda self: any(self.scene.world.bells(self.scene.now)))
    @rule(nth=NTH)
    def ring(self, nth: int) -> None:
        """A callback, perhaps late, perhaps again; one that is never drawn is lost."""
        bells = list(self.scene.world.bells(self.scene.now))
        self.run(self.scene.ring(*bells[-1 - nth % len(bells)]))

    # What processes do

    @rule(who=WHO, limit=st.integers(1, 3))
    def claim(self, who: int, limit: int) -> None:
        self.run(self.scene.processes[who].claim(limit))

    @precondition(lambda self: any(process.claims for process in self.scene.processes))
    @rule(who=WHO, nth=NTH, lucks=LUCKS)
    def ask(self, who: int, nth: int, lucks: deque[Luck]) -> None:
        self.scene.world.lucks = lucks
        first, second = self.scene.processes[who], self.scene.processes[1 - who]
        self.run((first if first.claims else second).ask(nth))

    @precondition(lambda self: any(process.verdicts for process in self.scene.processes))
    @rule(who=WHO)
    def record(self, who: int) -> None:
        first, second = self.scene.processes[who], self.scene.processes[1 - who]
        self.run((first if first.verdicts else second).record())

    @precondition(lambda self: any(process.recorded for process in self.scene.processes))
    @rule(who=WHO)
    def record_again(self, who: int) -> None:
        """The answer to the commit was lost, and what happens next comes in between."""
        first, second = self.scene.processes[who], self.scene.processes[1 - who]
        self.run((first if first.recorded else second).record_again())

    @rule(who=WHO)
    def crash(self, who: int) -> None:
        self.run(self.scene.processes[who].crash())

    @rule(who=WHO, lucks=LUCKS)
    def work(self, who: int, lucks: deque[Luck]) -> None:
        """A process does all that is due, and no crash comes between."""
        self.scene.world.lucks = lucks
        self.run(self.scene.beat(self.scene.processes[who]))

    @rule(who=WHO, lucks=LUCKS, dies=st.sampled_from([None, None, *Death]))
    def work_when_due(self, who: int, lucks: deque[Luck], dies: Death | None) -> None:
        """The same as soon as there is something to do; perhaps it dies in the middle."""
        self.scene.world.lucks = lucks
        if due := self.run(self.scene.next_due()):
            self.scene.now = max(self.scene.now, due)
        process = self.scene.processes[who]
        self.run(self.scene.die(process, dies) if dies else self.scene.beat(process))

    @precondition(lambda self: any(process.claims or process.verdicts for process in self.scene.processes))
    @rule(who=WHO, lucks=LUCKS)
    def oversleep(self, who: int, lucks: deque[Luck]) -> None:
        """A process is stopped for longer than its leases, the other takes over, and then it goes on."""
        sleeper, other = self.scene.processes[who], self.scene.processes[1 - who]
        self.scene.world.lucks = lucks
        self.scene.now += LEASE + timedelta(seconds=4)
        self.run(self.scene.beat(other))
        while sleeper.claims:
            self.run(sleeper.ask())
        self.run(sleeper.record())

    # What must hold after every step, and at the end

    @invariant()
    def all_is_well(self) -> None:
        self.run(self.scene.check())

    def teardown(self) -> None:
        """When faults stop, everything ends."""
        self.run(self.scene.end_well())

    def unheard(self) -> list[str]:
        return sorted(topic for topic, events in self.scene.log.items() if len(events) > self.scene.heard[topic])


@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_crashes_nothing_is_paid_for_twice_and_everything_ends(kind: str, database: str) -> None:
    """In a thread with a loop of its own, because hypothesis drives rules from outside of any loop."""

    def search() -> None:
        with asyncio.Runner() as runner:
            pool = runner.run(new_pool(database, schema=SCHEMA, name="crashes", size=4))
            try:
                with capture_logs():
                    for number in range(int(LONGER or "3")):
                        engine = seed(f"{kind} {number}")(lambda: Engine(pool, KINDS[kind], runner.run))
                        run_state_machine_as_test(engine, settings=SCOPE)  # type: ignore[arg-type]  # any factory will do
            finally:
                runner.run(pool.close())

    await asyncio.to_thread(search)
