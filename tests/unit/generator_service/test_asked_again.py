"""An intent that is asked again: what keeps the repeat from being sent says nothing about the first time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from generator_service.calls import Call, Capability, NotSent, Throttled
from generator_service.claim import Claim, Policy
from generator_service.decide import decide

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
POLICY = Policy(max_attempts=3, delay=lambda _: 5.0)
CAN = frozenset({Capability.CLIENT_ID})
KEPT_BACK = [Throttled(timedelta(seconds=5), "slow down"), NotSent("no connection came about")]


def a_claim(state: str) -> Claim:
    call = Call(
        generation_id=UUID(int=2), attempt=2, outputs=(0,), model="m", prompt="p", num_outputs=1, seed=1,
        output_format=None, input={}, intent_at=NOON,
    )  # fmt: skip
    return Claim(call, UUID(int=1), "dev", 1, 0, "cog", 7, state, 0, 1, None, pay_again=False)


@pytest.mark.parametrize("outcome", KEPT_BACK)
def test_the_first_time_it_was_no_attempt(outcome: Throttled | NotSent) -> None:
    verdict = decide(a_claim("PENDING"), outcome, NOON, POLICY, CAN)

    assert (verdict.state, verdict.attempt, verdict.facts) == ("PENDING", 1, ())


@pytest.mark.parametrize("outcome", KEPT_BACK)
def test_the_second_time_the_intent_stands(outcome: Throttled | NotSent) -> None:
    verdict = decide(a_claim("INTENT"), outcome, NOON, POLICY, CAN)

    assert (verdict.state, verdict.attempt, verdict.facts) == ("INTENT", None, ())
    assert verdict.due_at == NOON + timedelta(seconds=5)
