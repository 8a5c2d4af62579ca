"""Whether a call at a provider may be the one that is held here, by what the provider shows of it."""

from generator_service.calls import Call
from generator_service.operations import Done
from generator_service.providers.billing import Shown
from generator_service.providers.replicate import SKEW


def objection(call: Call, shown: Shown | None) -> Done | None:
    """Why the held `call` cannot be the one that is shown. None when it may be, as far as the provider tells.

    Nothing shown: the provider has no such call. One made before ours was asked for is somebody else's.
    """
    if shown is None:
        return Done.UNKNOWN_THERE
    early = call.intent_at and shown.created_at and shown.created_at < call.intent_at - SKEW
    return Done.ANOTHERS if early or shown.same is False else None
