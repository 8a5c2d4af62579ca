"""What the worker asks about each claim, and what it hands on of what came of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from generator_service.boot_time import boot_time
from generator_service.calls import Candidates, Capability, Failed
from generator_service.claim import Claim, Verdict
from generator_service.worker import SEND_MARGIN
from schemas.events import GenerationFailed
from tests.builders import NOON, a_call, a_generation_claim
from tests.fakes import GenerationStore
from tests.unit.generator_service.asking import (
    EVERYTHING,
    FINISHED,
    LEASE,
    LOST,
    POLICY,
    Asked,
    a_worker,
    claim_in,
    running,
)  # fmt: skip


async def looked(claim: Claim, provider: Asked, *, claimed: Sequence[str] = ()) -> Verdict:
    [verdict] = await a_worker(GenerationStore(claimed=claimed), provider).look([claim])
    return verdict


@pytest.mark.parametrize(
    ("state", "capabilities", "asked"),
    [
        ("PENDING", (), ["submit"]),
        ("INTENT", (Capability.CLIENT_ID,), ["submit"]),
        ("INTENT", (Capability.IDEMPOTENCY_KEY,), ["submit"]),
        ("INTENT", EVERYTHING, ["find"]),
        ("INTENT", (Capability.CALLBACK,), []),
        ("IN_DOUBT", EVERYTHING, ["find"]),
        ("IN_DOUBT", (), []),
        ("SUBMITTED", EVERYTHING, ["poll"]),
        ("HELD", EVERYTHING, []),
    ],
)
async def test_each_claim_is_asked_about_in_the_one_way_that_cannot_pay_twice(
    state: str, capabilities: Sequence[Capability], asked: list[str]
) -> None:
    provider = Asked(*capabilities)

    await looked(claim_in(state), provider)

    assert provider.asked == asked


async def test_making_a_call_asks_for_it_and_names_what_came_of_it() -> None:
    provider = Asked(submit=FINISHED)
    claim = a_generation_claim()

    verdict = await a_worker(GenerationStore(), provider).make(claim)

    assert provider.calls == [claim.call]
    assert (verdict.claim, verdict.state, verdict.provider_id) == (claim, "SUCCEEDED", "r-1")


@pytest.mark.parametrize("kind", ["to make", "to look at"])
async def test_a_claim_may_send_until_a_margin_before_its_lease_ends_and_says_where_to_call_back(kind: str) -> None:
    store = GenerationStore(due=[a_generation_claim(call=a_call(attempt=3))])
    worker = a_worker(store)

    before = boot_time()
    claims = await worker.claim_to_make(5) if kind == "to make" else (await worker.claim_to_look_at(5))[0]
    after = boot_time()

    [call] = [claim.call for claim in claims]
    assert call.send_by is not None
    assert before <= call.send_by - LEASE.total_seconds() + SEND_MARGIN <= after
    assert call.callback_url == "https://hooks/3"
    assert store.claims == [(kind, 5, NOON, LEASE)]


async def test_the_lease_begins_before_the_rows_are_asked_for() -> None:
    """A database that answers slowly must not lend a claim the time that it took."""

    class Slow(GenerationStore):
        answered_at = 0.0

        async def claim_to_make(self, limit: int, at: datetime, lease: timedelta) -> list[Claim]:
            self.answered_at = boot_time()
            return await super().claim_to_make(limit, at, lease)

    store = Slow(due=[a_generation_claim()])
    [claim] = await a_worker(store).claim_to_make(1)

    assert claim.call.send_by is not None
    assert claim.call.send_by <= store.answered_at + LEASE.total_seconds() - SEND_MARGIN


@pytest.mark.parametrize("state", ["PENDING", "INTENT", "IN_DOUBT", "SUBMITTED"])
async def test_a_claim_of_a_provider_that_is_not_set_up_here_fails_nothing(state: str) -> None:
    stranger = claim_in(state, provider="elsewhere")

    [verdict] = await a_worker(GenerationStore(), Asked()).look([stranger])

    assert verdict.state == ("SUBMITTED" if state == "SUBMITTED" else "IN_DOUBT")
    assert verdict.error == "no provider elsewhere is set up here"


async def test_a_held_claim_that_is_due_is_given_up_for_good() -> None:
    verdict = await looked(claim_in("HELD"), Asked(*EVERYTHING))

    [fact] = verdict.facts
    assert isinstance(fact, GenerationFailed)
    assert (verdict.state, fact.code, fact.final) == ("FAILED", "outcome_unknown", True)


async def test_a_call_that_shall_be_cancelled_is_cancelled_before_it_is_looked_at() -> None:
    provider = Asked(*EVERYTHING, poll=Failed("cancelled", "somebody stopped it", retryable=False))

    verdict = await looked(claim_in("SUBMITTED", cancel_at=NOON), provider)

    assert provider.asked == ["cancel", "poll"]
    assert verdict.state == "FAILED"


async def test_what_was_made_in_spite_of_a_cancel_is_kept() -> None:
    verdict = await looked(claim_in("SUBMITTED", cancel_at=NOON), Asked(*EVERYTHING, poll=FINISHED))

    assert verdict.state == "SUCCEEDED"


async def test_a_provider_that_cannot_cancel_is_not_asked_to() -> None:
    provider = Asked()

    await looked(claim_in("SUBMITTED", cancel_at=NOON), provider)

    assert provider.asked == ["poll"]


async def test_a_lost_call_is_the_oldest_in_the_list_that_nobody_has() -> None:
    provider = Asked(*EVERYTHING, find=Candidates(("r-1", "r-2", "r-3"), complete=True))

    verdict = await looked(claim_in("IN_DOUBT"), provider, claimed=["r-1"])

    assert (verdict.state, verdict.provider_id, verdict.due_at) == ("SUBMITTED", "r-2", NOON)


async def test_a_list_with_only_other_peoples_calls_does_not_show_the_lost_one() -> None:
    provider = Asked(*EVERYTHING, find=Candidates(("r-1",), complete=True))

    verdict = await looked(claim_in("IN_DOUBT"), provider, claimed=["r-1"])

    assert (verdict.state, verdict.provider_id) == ("IN_DOUBT", None)


async def test_a_list_that_cannot_be_read_leaves_the_doubt() -> None:
    long_ago = a_call(intent_at=NOON - POLICY.look_for * 2)

    verdict = await looked(claim_in("IN_DOUBT", call=long_ago), Asked(*EVERYTHING, find=LOST))

    assert verdict.state == "IN_DOUBT"


async def test_a_late_answer_of_a_claim_that_was_taken_over_is_handed_on() -> None:
    store = GenerationStore()
    store.taken_over = 1
    worker = a_worker(store, Asked())
    verdicts = [await worker.make(a_generation_claim()) for _ in range(2)]

    await worker.record(verdicts)

    assert [id(verdict) for verdict in store.verdicts] == [id(verdicts[1])]
    assert [id(verdict) for verdict in store.late] == [id(verdicts[0])]


async def test_nothing_is_late_when_every_verdict_counted() -> None:
    store = GenerationStore()
    worker = a_worker(store, Asked())

    await worker.record_groups([await worker.look([claim_in("PENDING")]), await worker.look(running(2)[:1])])

    assert (len(store.verdicts), store.late) == (2, [])


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("darkroom_settled_calls", Verdict(claim_in("IN_DOUBT"), "PENDING", NOON, settled=True)),
        ("darkroom_held_calls", Verdict(claim_in("IN_DOUBT"), "HELD", NOON)),
    ],
)
async def test_calls_that_are_settled_or_held_are_counted_once_and_only_by_whoever_recorded_them(
    name: str, verdict: Verdict
) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value(f"{name}_total", {"provider": "fake"}) or 0.0

    store, before = GenerationStore(), count()
    await a_worker(store).record([verdict])
    counted = count()
    store.taken_over = 1
    await a_worker(store).record([verdict])

    assert (counted, count()) == (before + 1, before + 1)
