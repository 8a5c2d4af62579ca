"""Asks providers where an output lies whose source expired, and says so. Nothing is generated, nothing is paid."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from generator_service import renewals
from generator_service.calls import Finished, Unknown
from generator_service.providers.protocol import Provider
from generator_service.renewals import Answer, Renewal
from schemas.clock import Clock
from schemas.events import MediaGenerated
from stage.database import Pool
from stage.telemetry import get_logger

log = get_logger(__name__)

PATIENCE = timedelta(minutes=5)
"""How long a provider that does not answer is asked again. The uploader does not wait longer either."""
BETWEEN = timedelta(seconds=10)
LEASE = timedelta(seconds=60)


class Renewer:
    """Claim, ask, record. Asked about once per output and revision, so a renewed source that expires too is lost."""

    def __init__(self, pool: Pool, providers: Mapping[str, Provider], source: str, now: Clock) -> None:
        self._pool, self._providers, self._source, self._now = pool, providers, source, now

    async def claim(self, limit: int) -> Sequence[Renewal]:
        """Up to `limit` outputs to ask about."""
        return await renewals.claim(self._pool, limit, self._now(), LEASE)

    async def ask(self, renewal: Renewal) -> Answer:
        """Ask the provider how the call that made it ended, which tells where the output is."""
        claim = renewal.claim
        provider = self._providers.get(claim.provider)
        outcome = (
            await provider.poll(claim.call, self._now()) if provider else Unknown("its provider is not set up here")
        )
        place = claim.call.outputs.index(renewal.index)
        if isinstance(outcome, Finished) and place < len(outcome.sources):
            return Answer(
                renewal,
                MediaGenerated.say(
                    claim.job_id, claim.tenant, self._now(), revision=renewal.revision, index=renewal.index,
                    generation=claim.number, attempt=max(1, claim.call.attempt), provider=claim.provider,
                    output_format=claim.call.output_format, source=outcome.sources[place], renewal=1,
                ),
            )  # fmt: skip
        again = isinstance(outcome, Unknown) and self._now() < renewal.asked_at + PATIENCE
        log.info("no new source", job_id=str(claim.job_id), index=renewal.index, answer=type(outcome).__name__)
        return Answer(renewal, due_at=self._now() + BETWEEN if again else None)

    async def record(self, answers: Sequence[Answer]) -> None:
        """Say where the outputs lie now."""
        await renewals.record(self._pool, answers, self._source)
