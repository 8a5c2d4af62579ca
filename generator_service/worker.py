"""Asks providers about claims, and names what came of it."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog
from prometheus_client import Counter

from generator_service.boot_time import boot_time
from generator_service.calls import Candidates, Capability, Failed, Running, Unknown
from generator_service.claim import HELD_TOO_LONG, Claim, Policy, Verdict
from generator_service.decide import Outcome, Question, decide, pick, question
from generator_service.doubt import give_up
from generator_service.providers.protocol import Provider
from generator_service.store import Store
from generator_service.sweeping import SLOWLY, UNSERVED_FOR
from schemas.clock import Clock
from stage.telemetry import get_logger

log = get_logger(__name__)

SEND_MARGIN = 5.0
"""Seconds before its lease ends in which a claim may not send any more: the request itself takes time to leave."""

SETTLED = Counter(
    "darkroom_settled_calls", "Lost calls that were asked for again although they may exist", ["provider"]
)
HELD = Counter("darkroom_held_calls", "Calls whose answer was lost and that nobody found", ["provider"])

LOOKS_PER_CLAIM = 2_000
ONE_BY_ONE = 20  # more running calls of one provider than this are looked at by list pages


class Worker:
    """Claim, ask, decide, record: for calls to make, and calls to look at."""

    def __init__(
        self, store: Store, providers: Mapping[str, Provider], policy: Policy, lease: timedelta, now: Clock,
        callback_url: Callable[[Claim], str | None],
    ) -> None:  # fmt: skip
        self._store, self._providers, self._policy = store, providers, policy
        self._lease, self._now, self._callback_url = lease, now, callback_url
        self._rests_until = self._unserved_at = 0.0

    async def claim_to_make(self, limit: int) -> Sequence[Claim]:
        """Up to `limit` calls to make. The intent is committed before the call: a crash leaves it in doubt."""
        send_by = boot_time() + self._lease.total_seconds() - SEND_MARGIN
        claims = await self._store.claim_to_make(limit, self._now(), self._lease)
        return [
            replace(claim, call=replace(claim.call, send_by=send_by, callback_url=self._callback_url(claim)))
            for claim in claims
        ]

    async def make(self, claim: Claim) -> Verdict:
        """Ask the claim's provider to make it."""
        return await self._asked(claim)

    async def claim_to_look_at(self, limit: int) -> Sequence[list[Claim]]:
        """Up to `limit` calls that are due to be looked at one by one."""
        send_by = boot_time() + self._lease.total_seconds() - SEND_MARGIN
        claims = await self._store.claim_to_look_at(limit, self._now(), self._lease)
        calls = (replace(each.call, send_by=send_by, callback_url=self._callback_url(each)) for each in claims)
        return [[replace(claim, call=call)] for claim, call in zip(claims, calls, strict=True)]

    async def claim_waiting(self, _: int) -> Sequence[list[Claim]]:
        """Running calls that are due: each alone, or many of one provider together.

        Going through a provider's list takes long when many wait: it rests as long as it took, so that it leaves
        room for other reads and its claims do not run out.
        """
        if boot_time() < self._rests_until:
            return []
        running: dict[str, list[Claim]] = defaultdict(list)
        for claim in await self._store.claim_waiting(LOOKS_PER_CLAIM, self._now(), self._lease):
            running[claim.provider].append(claim)
        groups: list[list[Claim]] = []
        for together in running.values():
            groups += [together] if len(together) > ONE_BY_ONE else [[claim] for claim in together]
        return groups

    async def claim_unserved(self, limit: int) -> Sequence[list[Claim]]:
        """Calls that whoever knows their provider would have looked at long ago. There is nobody to ask about them, but
        doubts are said and end. Looked for now and then: it reads every call that waits.
        """
        if boot_time() < self._unserved_at:
            return []
        at = self._now()
        claims = await self._store.claim_unserved(limit, at - UNSERVED_FOR, at + self._lease)
        if len(claims) < limit:
            self._unserved_at = boot_time() + SLOWLY
        return [[claim] for claim in claims]

    async def look(self, claims: list[Claim]) -> list[Verdict]:
        """Ask how they go: one, or many of one provider by its list."""
        if len(claims) == 1:
            return [await self._asked(claims[0])]
        provider, at, began = self._providers.get(claims[0].provider), self._now(), boot_time()
        seen = await provider.poll_many([claim.call for claim in claims], at) if provider else {}
        self._rests_until = 2 * boot_time() - began
        # What no list shows would wait for ever: some of it is asked for by its id.
        alone = [each for each in claims if each.call.provider_id not in seen][:ONE_BY_ONE] if provider else []
        told = {claim.call.generation_id: await self._asked(claim) for claim in alone}
        later = Unknown("the provider's list did not show it")
        return [
            told.get(claim.call.generation_id) or self._named(claim, seen.get(claim.call.provider_id or "", later))
            for claim in claims
        ]

    async def record(self, verdicts: Sequence[Verdict]) -> None:
        """Write what came of it. Of a claim that another worker took over only the call that it names is kept."""
        counted = await self._store.record(verdicts)
        for verdict in counted:
            if verdict.settled:
                SETTLED.labels(verdict.claim.provider).inc()
            if verdict.state == "HELD":
                HELD.labels(verdict.claim.provider).inc()
        if len(counted) < len(verdicts):
            late = [verdict for verdict in verdicts if not any(verdict is each for each in counted)]
            log.warning("claims were taken over", dropped=len(late))
            await self._store.answered_late(late, self._now())

    async def record_groups(self, groups: Sequence[list[Verdict]]) -> None:
        """The same for what came of looks."""
        await self.record([verdict for group in groups for verdict in group])

    async def _asked(self, claim: Claim) -> Verdict:
        with structlog.contextvars.bound_contextvars(
            job_id=str(claim.job_id), generation=claim.number, attempt=claim.call.attempt, provider=claim.provider
        ):
            if claim.state == "HELD":
                return give_up(claim, HELD_TOO_LONG, self._now())
            verdict = self._named(claim, await self._ask(claim))
            log.info("generation", state=verdict.state, was=claim.state, error=verdict.error)
            return verdict

    def _named(self, claim: Claim, outcome: Outcome) -> Verdict:
        provider = self._providers.get(claim.provider)
        capabilities = provider.capabilities if provider else frozenset()
        return decide(claim, outcome, self._now(), self._policy, capabilities)

    async def _ask(self, claim: Claim) -> Outcome:
        provider = self._providers.get(claim.provider)
        if provider is None:
            return Unknown(f"no provider {claim.provider} is set up here")
        match question(claim, provider.capabilities):
            case Question.SUBMIT:
                return await provider.submit(claim.call, self._now())
            case Question.POLL:
                return await self._poll(provider, claim)
            case Question.FIND:
                return await self._find(provider, claim)
            case _:
                return Unknown("the answer was lost, and this provider cannot be asked about it")

    async def _poll(self, provider: Provider, claim: Claim) -> Outcome:
        if claim.cancel_at is not None and Capability.CANCEL in provider.capabilities:
            await provider.cancel(claim.call, self._now())
        return await provider.poll(claim.call, self._now())

    async def _find(self, provider: Provider, claim: Claim) -> Outcome:
        found = await provider.find(claim.call, self._now())
        if not isinstance(found, Candidates):
            return found
        free = pick(found, await self._store.claimed_ids(claim.provider, found.provider_ids))
        if free and not await self._store.has_twin(claim):
            return Running(free[0], look_at=self._now())  # nobody else of ours asked for the same: it is this one
        for name in free:
            # It may as well be a twin's. One that goes well is worth as much as ours; one that failed is no answer to
            # ours, which may run: only the twin's own answer can say whose failure it was.
            seen = await provider.poll(replace(claim.call, provider_id=name), self._now())
            if isinstance(seen, Unknown):
                return seen
            if not isinstance(seen, Failed):
                return Running(name, look_at=self._now())
        # Where a lost call may have been asked for anew, one generation can have two, and counting proves nothing.
        counts = found.complete and claim.provider not in self._policy.settle
        if free and counts and await self._store.each_has_one(claim, free):
            return Running(free[0], look_at=self._now())  # all of them failed, and one is ours
        return found
