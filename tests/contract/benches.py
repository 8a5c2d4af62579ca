"""Each provider of ours on top of its simulator."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import SecretStr

from darkroom.simulators import CogSimulator, ReplicateSimulator
from darkroom.simulators.cog.faults import Busy
from darkroom.simulators.faults import Fault
from darkroom.simulators.replicate.faults import DropAnswer, Fail, GatewayError, Throttle
from generator_service.calls import Call, Running
from generator_service.providers.cog import CogProvider
from generator_service.providers.fake import FakeProvider
from generator_service.providers.protocol import Provider
from generator_service.providers.replicate import ReplicateProvider
from schemas.clock import utc_now
from tests.contract.bench import Bench, Bucket, Trouble, a_call, submitted
from tests.contract.conformance import end_of

TOKEN = "r8_not_a_real_token"
FLUX = "black-forest-labs/flux-schnell"
REFUSAL = "NSFW content detected. Try running it again, or try a different prompt."


class FakeBench:
    """Needs no simulator: it is one."""

    troubles = frozenset({Trouble.REFUSED, Trouble.BROKEN})
    most_outputs = 3

    def __init__(self) -> None:
        self.provider: Provider = FakeProvider("http://127.0.0.1:1", latency=0.05)

    def call(self, trouble: Trouble | None = None, **changes: Any) -> Call:
        asked = {Trouble.REFUSED: {"fail_outputs": [0]}, Trouble.BROKEN: {"fail_attempts": 1}}
        given = asked.get(trouble, {}) if trouble else {}
        return a_call(**{"model": "fake/painter-batch", "input": given} | changes)

    def charged(self) -> int | None:
        return None

    def now(self) -> datetime:
        return utc_now()


class ReplicateBench:
    """Against a simulated Replicate."""

    troubles = frozenset(Trouble)
    most_outputs = 3

    def __init__(self, simulator: ReplicateSimulator, provider: ReplicateProvider, bucket: Bucket) -> None:
        self.simulator, self.bucket = simulator, bucket
        self.provider: Provider = provider

    def call(self, trouble: Trouble | None = None, **changes: Any) -> Call:
        faults: dict[Trouble | None, tuple[Fault, ...]] = {
            None: (),
            Trouble.LOST_ANSWER: (DropAnswer(),),
            Trouble.ERROR_AFTER: (GatewayError(status=502),),
            Trouble.THROTTLED: (Throttle(body="plain", header=False, seconds=30, times=1),),
            Trouble.REFUSED: (Fail(error=REFUSAL),),
            Trouble.BROKEN: (Fail(),),
        }
        self.simulator.use(*faults[trouble])
        return a_call(**{"model": FLUX, "intent_at": self.now()} | changes)

    def charged(self) -> int | None:
        return self.simulator.bill().charged

    def now(self) -> datetime:
        return self.simulator.clock.now()


class CogBench:
    """Against a simulated container."""

    troubles = frozenset(Trouble)
    most_outputs = 3

    def __init__(self, simulator: CogSimulator, provider: CogProvider, bucket: Bucket) -> None:
        self.simulator, self.bucket = simulator, bucket
        self.provider: Provider = provider

    def call(self, trouble: Trouble | None = None, **changes: Any) -> Call:
        faults: dict[Trouble | None, tuple[Fault, ...]] = {
            None: (),
            Trouble.LOST_ANSWER: (DropAnswer(times=1),),
            Trouble.ERROR_AFTER: (GatewayError(status=502),),
            Trouble.THROTTLED: (Busy(),),
            Trouble.REFUSED: (Fail(error=REFUSAL),),
            Trouble.BROKEN: (Fail(),),
        }
        self.simulator.use(*faults[trouble])
        return a_call(**{"model": "acme/own-model"} | changes)

    def charged(self) -> int | None:
        return self.simulator.bill().charged

    def now(self) -> datetime:
        return self.simulator.clock.now()


@asynccontextmanager
async def fake_bench() -> AsyncIterator[FakeBench]:
    yield FakeBench()


@asynccontextmanager
async def replicate_bench(**settings: Any) -> AsyncIterator[ReplicateBench]:
    """A quick simulator, and the provider told where it is."""
    quick: dict[str, Any] = {"queue_seconds": 0.02, "run_seconds": 0.05, "picture_side": 64, "token": TOKEN}
    async with ReplicateSimulator(**quick | settings) as simulator:
        bucket = Bucket()
        provider = ReplicateProvider(SecretStr(TOKEN), simulator.url, timedelta(minutes=30), bucket.stage, seconds=5)
        try:
            yield ReplicateBench(simulator, provider, bucket)
        finally:
            await provider.close()


@asynccontextmanager
async def cog_bench(patience: float = 5, **settings: Any) -> AsyncIterator[CogBench]:
    """A quick container with one slot, and the provider told where it is."""
    async with CogSimulator(**{"run_seconds": 0.4, "picture_side": 64} | settings) as simulator:
        bucket = Bucket()
        provider = CogProvider(simulator.url, patience, bucket.stage)
        try:
            yield CogBench(simulator, provider, bucket)
        finally:
            await provider.close()


async def under(bench: ReplicateBench, *faults: Fault, **changes: Any) -> Any:
    """What comes of a call while these faults strike."""
    call = bench.call(**changes)
    bench.simulator.use(*faults)
    return await end_of(bench, call)


async def accepted(bench: ReplicateBench, *faults: Fault, **changes: Any) -> Call:
    """A call that was accepted."""
    call = bench.call(**changes)
    bench.simulator.use(*faults)
    outcome = await bench.provider.submit(call, bench.now())
    assert isinstance(outcome, Running), outcome
    return submitted(call, outcome.provider_id, bench.now())


class Stand(NamedTuple):
    """A provider's bench, the troubles that it can make, and the provider."""

    bench: Callable[[], AbstractAsyncContextManager[Bench]]
    troubles: frozenset[Trouble]
    provider: type[Provider]


BENCHES = {
    "fake": Stand(fake_bench, FakeBench.troubles, FakeProvider),
    "replicate": Stand(replicate_bench, ReplicateBench.troubles, ReplicateProvider),
    "cog": Stand(cog_bench, CogBench.troubles, CogProvider),
}
