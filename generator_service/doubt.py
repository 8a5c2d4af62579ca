"""Pure: what becomes of a call whose answer was lost, or that cannot be tried anew without the risk of a second one.

`decide` draws how these states lead to each other.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from generator_service.calls import REPEATABLE, Candidates, Capability, Failed
from generator_service.claim import HELD_TOO_LONG, Claim, Policy, Verdict
from schemas.events import Event, GenerationDoubted

ASKED_AGAIN = "its answer was lost; it is asked for again under its own id until it is known"


def give_up(claim: Claim, failure: Failed, at: datetime) -> Verdict:
    """End a generation that was never asked for, or whose outcome nobody can find out: nothing more is tried."""
    fact = claim.says_failed(failure, at, next_try=None)
    return Verdict(claim, "FAILED", None, (fact,), error=failure.code)


def refused_again(claim: Claim, failure: Failed, at: datetime, policy: Policy) -> Verdict:
    """This asking was refused, but an earlier one under the same id may have been heard. Another attempt would have
    another id, so there is none: the same call is asked for until it is known, or somebody must look.
    """
    why = f"asked again, and refused: {failure.message}"
    if claim.polls > 1 and at >= (claim.call.intent_at or at) + policy.look_for:
        return _held(claim, why, at, policy)
    return Verdict(claim, "INTENT", at + timedelta(seconds=policy.delay(max(1, claim.polls))), error=why)


def lost(claim: Claim, why: str, at: datetime, policy: Policy, capabilities: frozenset[Capability]) -> Verdict:
    """Looking again costs nothing, and so does asking again where that is the same call. Anything else is doubt."""
    if claim.state == "SUBMITTED":
        return Verdict(claim, "SUBMITTED", at + until_next_look(claim, policy), error=why)
    if claim.state != "IN_DOUBT" and REPEATABLE & capabilities:
        if claim.polls > 1 and at >= (claim.call.intent_at or at) + policy.look_for + policy.hold:
            return give_up(claim, HELD_TOO_LONG, at)
        again_at = at + timedelta(seconds=policy.delay(max(1, claim.polls)))
        # At looks 1, 2, 4, 8, …: whoever looks first may die before it is said. In the same words it is one fact.
        said = claim.state == "INTENT" and claim.polls.bit_count() == 1
        return Verdict(claim, "INTENT", again_at, (_doubted(claim, ASKED_AGAIN, at),) if said else (), error=why)
    if claim.state != "PENDING" and Capability.LIST_MATCH in capabilities:
        # The list could not be read, so nothing says that the call is not in it: neither held nor paid again yet.
        return _in_doubt(claim, why, at, policy)
    return _still_lost(claim, why, at, policy)


def not_found(claim: Claim, candidates: Candidates, at: datetime, policy: Policy) -> Verdict:
    """The provider's list does not show the lost call, or only calls that are others'."""
    settles = claim.provider in policy.settle and candidates.complete and policy.tries_again(claim)
    if settles and _looked_for_long(claim, at, policy):
        return _asked_again(claim, "settled: not found at the provider, asked again", at, settled=True)
    return _still_lost(claim, "not found at the provider", at, policy)


def _still_lost(claim: Claim, why: str, at: datetime, policy: Policy) -> Verdict:
    if not _looked_for_long(claim, at, policy):
        return _in_doubt(claim, why, at, policy)
    if claim.pay_again:
        return _asked_again(claim, "not found at the provider, paid again as requested", at, settled=False)
    return _held(claim, why, at, policy)


def _in_doubt(claim: Claim, why: str, at: datetime, policy: Policy) -> Verdict:
    facts = (_doubted(claim, why, at),) if claim.state != "IN_DOUBT" else ()
    return Verdict(claim, "IN_DOUBT", at + until_next_look(claim, policy), facts, error=why)


def _doubted(claim: Claim, why: str, at: datetime) -> Event:
    return claim.says(GenerationDoubted, at, outputs=claim.call.outputs, held=False, cause=why)


def _held(claim: Claim, why: str, at: datetime, policy: Policy) -> Verdict:
    until = at + policy.hold
    fact = claim.says(GenerationDoubted, at, outputs=claim.call.outputs, held=True, cause=why, until=until)
    return Verdict(claim, "HELD", until, (fact,), error=why)


def _asked_again(claim: Claim, why: str, at: datetime, *, settled: bool) -> Verdict:
    """The attempt ends, its outcome unknown, and another one follows at once."""
    fact = claim.says_failed(replace(HELD_TOO_LONG, message=why), at, next_try=at)
    return Verdict(claim, "PENDING", at, (fact,), error=why, settled=settled)


def _looked_for_long(claim: Claim, at: datetime, policy: Policy) -> bool:
    """Never at the first look: an intent may be as old as an outage of all of us."""
    if claim.state == "INTENT":
        return False
    return claim.call.intent_at is None or at >= claim.call.intent_at + policy.look_for


def until_next_look(claim: Claim, policy: Policy) -> timedelta:
    """Growing intervals: a call that takes a minute is looked at seven times, one that takes an hour 125 times."""
    return min(policy.shortest_look * 1.5 ** min(claim.polls, 20), policy.longest_look)
