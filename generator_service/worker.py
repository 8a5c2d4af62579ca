"""Claims generations that are due, asks their providers, and names what came of it."""

from collections.abc import Mapping, Sequence

import structlog

from generator_service.calls import Failed, Outcome, Unknown
from generator_service.decide import OUT_OF_TIME, Budget, Claim, Verdict, decide, may_ask, too_late
from generator_service.providers.protocol import Provider
from generator_service.settings import Settings
from generator_service.store import Store
from schemas.clock import Clock
from stage.retry import delay_before
from stage.telemetry import get_logger

log = get_logger(__name__)

LOST = Unknown("the process that asked the provider died before it knew the answer")


class Worker:
    """One beat after the other: claim, ask, decide, record."""

    def __init__(self, store: Store, providers: Mapping[str, Provider], settings: Settings, now: Clock) -> None:
        self._store, self._providers, self._settings, self._now = store, providers, settings, now
        self._budget = Budget(
            settings.max_attempts,
            lambda attempt: delay_before(
                attempt, initial=settings.initial_retry_delay, maximum=settings.max_retry_delay
            ),
        )

    async def claim(self, limit: int) -> Sequence[Claim]:
        """Up to `limit` due generations. The intent is committed before the call: a crash leaves it in doubt."""
        return await self._store.claim_due(limit, self._now(), self._settings.call_timeout)

    async def work(self, claim: Claim) -> Verdict:
        """Ask the claim's provider once and say what came of it."""
        with structlog.contextvars.bound_contextvars(
            job_id=str(claim.job_id), generation=claim.number, attempt=claim.call.attempt, provider=claim.provider
        ):
            provider = self._providers.get(claim.provider)
            capabilities = provider.capabilities if provider else frozenset()
            verdict = decide(claim, await self._ask(claim, provider), self._now(), self._budget, capabilities)
            log.info("generation", state=verdict.state, was=claim.state, error=verdict.error)
            return verdict

    async def _ask(self, claim: Claim, provider: Provider | None) -> Outcome:
        if provider is None:
            words = f"no provider {claim.provider} is set up here"
            # Only what was never asked has surely failed.
            asked = claim.state != "PENDING"
            return Unknown(words) if asked else Failed("provider_unavailable", words, retryable=True)
        if claim.state == "SUBMITTED":
            return await provider.poll(claim.call, self._now())
        if too_late(claim, self._now()):
            return OUT_OF_TIME
        if not may_ask(claim, provider.capabilities):
            return LOST
        return await provider.submit(claim.call, self._now())

    async def record(self, verdicts: Sequence[Verdict]) -> None:
        """Write what came of it; a claim that another worker took over is dropped."""
        counted = await self._store.record(verdicts)
        if counted < len(verdicts):
            log.warning("claims were taken over", dropped=len(verdicts) - counted)
