"""What a prediction at Replicate means."""

from datetime import UTC, datetime, timedelta
from typing import Any

from replicate.prediction import Prediction

from generator_service.bucket import Stage
from generator_service.calls import Call, Failed, Polled, Running, Unknown
from generator_service.errors import Code, code_of, failed, provider_code_in
from generator_service.providers.discretion import discreet
from generator_service.providers.outputs import finished
from generator_service.providers.refusals import retry_after
from generator_service.providers.replicate_transport import KEPT
from generator_service.providers.transport import Refused

KEEPS_FOR = timedelta(hours=1)
"""How long Replicate keeps input and output of what was made by its API."""

UNDER_WAY = ("starting", "processing")


async def answered(prediction: Prediction, call: Call, at: datetime, stage: Stage) -> Polled:
    """How a call goes, by what Replicate shows of it."""
    if prediction.status in UNDER_WAY:
        return Running(prediction.id)
    if prediction.status == "succeeded":
        if prediction.output is None and kept(prediction, "data_removed"):
            return failed(Code.OUTPUT_EXPIRED, "the provider made it and has removed it: nobody asked for it in time")
        ended = min(moment(prediction.completed_at) or at, at)
        return await finished(prediction.id, prediction.output, call, stage, ended + KEEPS_FOR)
    if prediction.status == "failed":
        return _broken(prediction.error or "", call)
    if kept(prediction, "status") == "aborted":
        return failed(Code.NOT_STARTED, "no machine took it in time; nothing was made or charged")
    return failed(Code.CANCELLED, "the call was stopped before it was done")


def _broken(text: str, call: Call) -> Failed:
    code, own = code_of(text), provider_code_in(text)
    if code is Code.CONTENT_POLICY:
        return failed(code, "the provider refuses this content", own)
    return failed(code, f"the model failed: {discreet(text, call) or 'it did not say why'}", own)


def not_told(refusal: Refused, call: Call, at: datetime) -> Polled:
    """What it means when Replicate does not say how a submitted call goes. It is no failure of the call."""
    if refusal.status == 429 and call.provider_id is not None:
        return Running(call.provider_id, at + retry_after(refusal, at))
    asked = call.submitted_at or call.intent_at
    if refusal.status in (404, 410) and asked is not None and at - asked > KEEPS_FOR:
        # Earlier it may be a list that lags, or another account's token; now what it made is gone in any case.
        return failed(Code.NOT_FOUND, "the provider no longer knows the call")
    return Unknown(f"the provider answered HTTP {refusal.status}")


def kept(prediction: Prediction, name: str) -> Any:
    """A field that the client's model has no place for."""
    return (prediction.metrics or {}).get(KEPT, {}).get(name)


def moment(text: str | None) -> datetime | None:
    """A time as Replicate writes it, with as many digits of a second as it likes. None when it is none."""
    try:
        told = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)
