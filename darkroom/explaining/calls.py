"""Why a provider call is where it is."""

from datetime import datetime, timedelta

from darkroom.explaining.seen import Why, counted, moment
from generator_service.errors import OF_THE_ACCOUNT
from generator_service.explain import COUNTED, GeneratorSees, PlannedCall
from schemas.jobs import Phase

PATIENCE = timedelta(seconds=30)
"""How long a call may be due before that is strange."""


def why_called(call: PlannedCall, generator: GeneratorSees, at: datetime) -> Why:
    """Why a call that is not over is where it is."""
    match call.state:
        case "PENDING":
            return _pending(call, generator, at)
        case "INTENT":
            words = f"{call.provider} is being asked since {moment(call.intent_at)}"
            died = f"; if {call.owner or 'who asks'} has died, it goes on from {moment(call.due_at)}"
            return _why(Phase.GENERATING, call, words + died)
        case "IN_DOUBT":
            return _why(Phase.RECONCILING, call, _doubt(call) + f"; next look at {moment(call.due_at)}")
        case "HELD":
            words = f"held: the answer to its attempt of {moment(call.intent_at)} was lost and the call was not found. "
            moves = f"darkroom held adopt {call.id} PROVIDER_ID, or darkroom held give-up {call.id}"
            return _why(Phase.RECONCILING, call, f"{words}It gives itself up at {moment(call.due_at)}", moves)
        case _:
            return _why(Phase.GENERATING, call, _running(call))


def _pending(call: PlannedCall, generator: GeneratorSees, at: datetime) -> Why:
    if call.cancel_at is not None:
        return _why(Phase.QUEUED, call, "the job was cancelled: it ends without being asked for", look=False)
    if call.deadline is not None and call.deadline <= at:
        return _why(Phase.QUEUED, call, "the job's deadline has passed: it ends without being asked for", look=False)
    return _paused(call, generator) or _limited(call, generator, at) or _due(call, generator, at)


def _paused(call: PlannedCall, generator: GeneratorSees) -> Why | None:
    named = {("provider", call.provider), ("model", call.model), ("tenant", call.tenant)}
    for brake in generator.brakes:
        if (brake.kind, brake.name) in named:
            words = f"paused: {brake.kind} {brake.name}, since {moment(brake.since)}"
            words += f": {brake.why}" if brake.why else ""
            return _why(_stage(call), call, words, f"darkroom resume {brake.kind} {brake.name}", look=False)
    return None


def _limited(call: PlannedCall, generator: GeneratorSees, at: datetime) -> Why | None:
    account = generator.accounts.get(call.provider)
    if account is None:
        return None
    if account.blocked_until is not None and account.blocked_until > at:
        return _blocked(call, account.blocked_until, account.blocked_why)
    # An account without a rate goes below nothing; one with a rate stops there.
    if _is_due(call, at) and 0 <= account.tokens < 1:
        words = f"waiting for the rate limit of {call.provider}: the account's calls of this moment are used up, and "
        return _why(_stage(call), call, f"{words}{_queue(call)} before it", look=False)
    return None


def _blocked(call: PlannedCall, until: datetime, why: str | None) -> Why:
    if not why:  # an account that rested before its reason was kept
        return _why(_stage(call), call, f"waiting for the rate limit of {call.provider} until {moment(until)}")
    words = f"waiting until {moment(until)}, when {call.provider} may be asked again: {why}"
    moves = f"see to the account at {call.provider}: its token, its credit" if why in OF_THE_ACCOUNT else None
    return _why(_stage(call), call, words, moves)


def _due(call: PlannedCall, generator: GeneratorSees, at: datetime) -> Why:
    if not _is_due(call, at):
        tried = f"attempt {call.attempt} failed" if call.attempt else "it could not be asked"
        return _why(_stage(call), call, f"{tried}, and is tried again at {moment(call.due_at)}")
    words = f"waiting for its turn since {moment(call.due_at)}: {_queue(call)} before it"
    if call.due_at is None or at - call.due_at < PATIENCE:
        return _why(_stage(call), call, words, look=False)
    account = generator.accounts.get(call.provider)
    today = f" (so far {counted(account.calls, 'call')} of {account.cost_units:,} cost units)" if account else ""
    moves = "see that a generator runs that knows the provider, and whether GENERATOR_CALLS_A_DAY or "
    return _why(_stage(call), call, words, f"{moves}GENERATOR_COST_A_DAY is reached{today}", look=False)


def _doubt(call: PlannedCall) -> str:
    if call.seeks is not None and call.provider_id is None:
        return "an earlier call whose answer was lost is looked for before another one is paid for"
    return f"the provider's answer of {moment(call.intent_at)} was lost, and the call is looked for"


def _running(call: PlannedCall) -> str:
    words = f"runs at {call.provider} as {call.provider_id} since {moment(call.submitted_at)}"
    stopped = ", and was asked to stop" if call.cancel_at else ""
    return f"{words}{stopped}; next look at {moment(call.due_at)}"


def _why(stage: Phase, call: PlannedCall, words: str, moves: str | None = None, *, look: bool = True) -> Why:
    return Why(stage.value, words, call.attempt, call.last_error, call.due_at if look else None, moves)


def _stage(call: PlannedCall) -> Phase:
    return Phase.GENERATING if call.attempt else Phase.QUEUED


def _is_due(call: PlannedCall, at: datetime) -> bool:
    return call.due_at is None or call.due_at <= at


def _queue(call: PlannedCall) -> str:
    if call.due_before > COUNTED:
        return f"more than {counted(COUNTED, 'call')} are due"
    return f"{counted(call.due_before, 'call')} {'is' if call.due_before == 1 else 'are'} due"
