"""`ledger`: whatever dies, sleeps, is cut off or is told to read again, the ledger holds what the log says."""

import asyncio
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import httpx

from darkroom.local.stack import Stack
from schemas.events import JobCompleted
from schemas.topics import DEAD_LETTERS
from tests.pipeline.driver import Pipeline, until
from tests.pipeline.ledger_check import operate

SERVERS = ("kafka", "postgres", "s3")
WITH_OFFSETS = ("generator", "uploader", "ledger")
ASKS_AT_ONCE = 20
LONGEST_PAUSE = 6.0  # seconds
LEDGER_PAUSE = 33.0  # longer than the group's session: another ledger takes over, if there is one
ANSWERED_WITHIN = 10.0
QUICK = {
    "INITIAL_RETRY_DELAY": "0.2",
    "MAX_RETRY_DELAY": "2",
    "UPLOADER_MAX_ATTEMPTS": "100",  # a dead generator serves nothing of what the fake provider made
    # A call that a kill left in doubt, and that is refused when it is asked for again, is held: here not for a day.
    "GENERATOR_CALL_TIMEOUT": "PT9S",
    "GENERATOR_LOOK_FOR": "PT12S",
    "GENERATOR_HOLD": "PT10S",
    "LOG_LEVEL": "WARNING",
}


class Blow(StrEnum):
    """What is done to the system."""

    KILL = "kills"
    PAUSE = "pauses"
    LONG_PAUSE = "long_pauses"
    CUT = "cuts"
    REWIND = "rewinds"
    REPLAY = "replays"
    REBUILD = "rebuilds"


SHARES = {Blow.KILL: 1, Blow.PAUSE: 3, Blow.LONG_PAUSE: 30, Blow.CUT: 3, Blow.REWIND: 6, Blow.REPLAY: 15,
          Blow.REBUILD: 15}  # fmt: skip
"""So many kills fall for each of these. Any but the long pause comes at least once."""


@dataclass(frozen=True)
class Plan:
    """How hard a run is. `facts` is how many the jobs say at least, without what is said twice."""

    seed: int
    kills: int
    facts: int

    def blows(self, dice: random.Random) -> list[Blow]:
        """Everything that happens, in some order."""
        least = {blow: 0 if blow is Blow.LONG_PAUSE else 1 for blow in Blow}
        coming = [blow for blow, each in SHARES.items() for _ in range(max(self.kills // each, least[blow]))]
        dice.shuffle(coming)
        return coming


@dataclass(frozen=True)
class Found:
    """What a run shows. `check` is what `darkroom ledger check --json` said at the end."""

    seed: int
    jobs: int
    blows: Counter[str]
    seconds: float
    said: int
    """Facts in the log, each counted once however often it was said."""
    told_otherwise: int
    """Ends of jobs that were announced with two meanings."""
    untold: int
    """Jobs that are over, and nobody was told."""
    check: dict[str, Any]

    def line(self) -> dict[str, Any]:
        """For JSON."""
        alone = {name: value for name, value in asdict(self).items() if name not in ("blows", "check")}
        return alone | self.blows | self.check

    def complaints(self, plan: Plan) -> Iterator[str]:
        """What is wrong with it."""
        if not self.check.get("equal"):
            yield f"the ledger differs from the log: {self.check}"
        if self.check.get("announced_again") or self.told_otherwise:
            yield "somebody was told again"
        if self.untold:
            yield f"of {self.untold} jobs nobody was told that they are over"
        if self.said < plan.facts:
            yield f"proved too little: {self.said} facts"


async def ledger(stack: Stack, plan: Plan) -> tuple[Found, list[str]]:
    """Run it on these servers, which must be fresh and run no services yet. What was found, and what is wrong."""
    stack.environ |= QUICK
    await stack.start_services()
    async with Pipeline.reach(stack) as pipeline:
        run = Run(pipeline, plan)
        await run.torment()
        await run.settle()
        found = await run.found()
    return found, list(found.complaints(plan))


class Run:
    """One run, from the first request to the last announcement."""

    def __init__(self, pipeline: Pipeline, plan: Plan) -> None:
        self._pipeline, self._stack, self._plan = pipeline, pipeline.stack, plan
        self._dice = random.Random(plan.seed)
        self._services = [name for name in self._stack.urls() if name not in SERVERS]
        self._done: Counter[str] = Counter()
        self._jobs: list[UUID] = []
        self._facts = 0
        self._began = time.monotonic()

    async def torment(self) -> None:
        """Ask for jobs all the while, and strike."""
        coming = self._plan.blows(self._dice)
        for number, blow in enumerate(coming, start=1):
            asking = asyncio.create_task(self._ask(self._plan.facts * number // len(coming)))
            await self._strike(blow)
            await asking
            self._done[blow] += 1

    async def settle(self) -> None:
        """Bring everybody back, and wait until nothing is left to do."""
        await asyncio.gather(*map(self._stack.start, self._services))
        await until(self._all_over, 600, "every job to be over")
        await self._pipeline.settled(120)

    async def found(self) -> Found:
        """What came of it, by the log, the ledger, and `darkroom ledger check`."""
        answer = await operate(self._pipeline, "ledger", "check", "--json")
        records = [each for each in await self._pipeline.records() if each.topic != DEAD_LETTERS]
        told: dict[bytes | None, set[bytes | None]] = defaultdict(set)
        ends = [each for each in records if each.topic == JobCompleted.topic]
        meanings: dict[UUID, set[bytes]] = defaultdict(set)
        for each in ends:
            told[each.key].add(each.value)
            meanings[JobCompleted.model_validate_json(each.value or b"").event_id].add(each.value or b"")
        return Found(
            self._plan.seed, len(self._jobs), self._done, round(time.monotonic() - self._began, 1),
            said=len({(each.topic, each.value) for each in records}) - sum(map(len, told.values())),
            told_otherwise=sum(len(values) > 1 for values in meanings.values()),
            untold=sum(str(job_id).encode() not in told for job_id in self._jobs),
            check=answer.json if answer.out else {"equal": False, "why": answer.err},
        )  # fmt: skip

    async def _all_over(self) -> bool:
        over = "SELECT count(*) FROM ledger.jobs WHERE completed_at IS NOT NULL"
        return bool(await self._pipeline.admin.fetchval(over) == len(self._jobs))

    # Asking

    async def _ask(self, facts: int) -> None:
        """Submit jobs, some at a time, until they say so many facts when all goes well."""
        while self._facts < facts:
            await asyncio.gather(*(self._submit(len(self._jobs) + n) for n in range(ASKS_AT_ONCE)))
            for path, body in (("cancel", {}), ("retry", {"revision": 1, "confirm_cost": True})):
                await self._until_answered("POST", f"/api/v1/jobs/{self._dice.choice(self._jobs)}/{path}", json=body)
            await self._until_answered("DELETE", f"/api/v1/jobs/{self._dice.choice(self._jobs)}/data")

    async def _submit(self, number: int) -> None:
        """One job: of any size, with a failure that passes; every seventh fails for good, and says two facts."""
        outputs = self._dice.randint(1, 10)
        refused = number % 7 == 0
        trouble = {"fail_attempts": self._dice.randint(0, 1)} | ({"fail_outputs": [0]} if refused else {})
        body = {"model": "fake/painter-batch", "prompt": f"dune {number}", "num_outputs": outputs, "input": trouble}
        key = f"chaos-{self._plan.seed}-{number}"
        answer = await self._until_answered("POST", "/api/v1/generate", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 202, answer.text
        self._jobs.append(UUID(answer.json()["job_id"]))
        self._facts += 2 if refused else 2 + 2 * outputs

    async def _until_answered(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """Ask until the gateway answers, whatever it answers; a job that is not over may not be retried or removed."""
        while True:
            try:
                answer = await self._pipeline.http.request(method, path, timeout=ANSWERED_WITHIN, **sent)
                if answer.status_code < 500:
                    return answer
            except httpx.TransportError:
                pass  # killed or paused: the same request again is the same job
            await asyncio.sleep(0.1)

    # Striking

    async def _strike(self, blow: Blow) -> None:
        """One blow; returns when its victim works again."""
        victim = self._dice.choice(self._services)
        match blow:
            case Blow.KILL:
                await asyncio.sleep(self._dice.uniform(0, 1))
                await self._stack.kill(victim)
                await self._stack.start(victim)
            case Blow.PAUSE:
                await self._pause(victim, self._dice.uniform(0.5, LONGEST_PAUSE))
            case Blow.LONG_PAUSE:
                await self._pause("ledger-1", LEDGER_PAUSE)
            case Blow.CUT:
                await self._pipeline.admin.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", victim.split("-")[0]
                )
            case Blow.REWIND:
                await self._operate("offsets", "rewind", self._dice.choice(WITH_OFFSETS), "--yes")
            case Blow.REPLAY:
                await self._replay()
            case Blow.REBUILD:
                await self._operate("ledger", "rebuild")

    async def _pause(self, victim: str, seconds: float) -> None:
        pid = self._stack.describe(victim).pid
        assert pid is not None, f"{victim} does not run"
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(pid, signal.SIGCONT)
        await self._stack.start(victim)

    async def _replay(self) -> None:
        """Say a fifth of the log again, shuffled over all topics."""
        said = [each for each in await self._pipeline.records() if each.topic not in (DEAD_LETTERS, JobCompleted.topic)]
        await self._pipeline.reproduce(self._dice.sample(said, len(said) // 5))

    async def _operate(self, *words: str) -> None:
        answer = await operate(self._pipeline, *words)
        assert answer.code == 0, answer.err
