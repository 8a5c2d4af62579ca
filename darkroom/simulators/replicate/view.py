"""A prediction as JSON. Which fields there are, and how times are written, differs by call, as recorded."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import inf
from typing import Any, Literal

from darkroom.simulators.replicate.course import STEPS, TERMINAL, Span, span_of
from darkroom.simulators.replicate.prediction import Prediction, words_of

Style = Literal["created", "read", "listed"]


def shown(
    prediction: Prediction, now: datetime, files: Sequence[str], base: str, style: Style = "read"
) -> dict[str, Any]:
    """The prediction at that time. `files` are the links to its outputs, `base` is where the API stands."""
    seen, span, gone = prediction.standing(now), span_of(prediction.course), prediction.removed(now)
    over = seen.status in TERMINAL
    body: dict[str, Any] = {
        "id": prediction.id,
        "model": prediction.look.model,
        "version": prediction.ask.version,
        "input": {} if gone else prediction.ask.input,
        "logs": "" if gone else logs(prediction, seen.progress, span),
        "output": None if gone else output(prediction, files[: seen.outputs], seen.outputs),
        "data_removed": gone,
        "error": prediction.course.error if seen.status == "failed" else None,
        "status": seen.status,
        "created_at": timestamp(prediction.created_at, style, prediction.look.digits),
    }
    body |= _when(prediction, span, seen.started, over, style)
    body |= _extras(prediction, style)
    body["urls"] = urls(prediction, base)
    return _styled(body, style)


def timestamp(moment: datetime, style: Style, digits: int | None = None) -> str:
    """Recorded: up to 9 digits of a second on create and 6 later, without trailing zeros; always 6 in lists."""
    day, micro = f"{moment:%Y-%m-%dT%H:%M:%S}", f"{moment.microsecond:06d}"
    if digits is not None:
        fraction = (micro + "000")[:digits]
    elif style == "listed":
        fraction = micro if moment.microsecond else ""
    else:  # a clock of nanoseconds; ours has none, so they follow from the microseconds
        fraction = (micro + f"{moment.microsecond * 7919 % 1000:03d}" * (style == "created")).rstrip("0")
    return f"{day}.{fraction}Z" if fraction else f"{day}Z"


def output(prediction: Prediction, files: Sequence[str], made: int) -> Any:
    """The `output` field, in the shape of the model or of its fault. None while there is nothing."""
    model, shape = prediction.ask.model, prediction.look.shape
    if shape == "null" or (made == 0 and prediction.course.outputs > 0):
        return None
    if shape == "text":
        return "".join(words_of(prediction.ask.input))
    if model.kind == "text" and shape is None:
        words = words_of(prediction.ask.input)
        return (words * (made // len(words) + 1))[:made]
    if shape == "nested":
        images = [{"url": link, "nsfw": False} for link in files]
        return {"images": images, "seed": prediction.seed}
    if shape == "single" or (shape in (None, "data") and model.most_outputs == 1 and len(files) == 1):
        return files[0] if files else None
    return list(files)


def logs(prediction: Prediction, steps: int, span: Span) -> str:
    """What the model said so far, with the bars that clients draw progress from."""
    if span.started == inf or (steps == 0 and prediction.course.run > 0):
        return ""
    speed = STEPS / prediction.course.run if 0 < prediction.course.run < inf else 99.0
    bars = [
        f"{step * 100 // STEPS:3d}%|{'█' * (step * 10 // STEPS):<10}| {step}/{STEPS} "
        f"[00:{int(step / speed):02d}<00:{int((STEPS - step) / speed):02d}, {speed:5.2f}it/s]"
        for step in range(steps + 1)
    ]
    return "\n".join([f"Using seed: {prediction.seed}", *bars]) + "\n"


def urls(prediction: Prediction, base: str) -> dict[str, str]:
    """Where to ask for it again."""
    here = f"{base}/v1/predictions/{prediction.id}"
    return {"cancel": f"{here}/cancel", "get": here, "web": f"{base}/p/{prediction.id}"}


def _when(prediction: Prediction, span: Span, started: bool, over: bool, style: Style) -> dict[str, Any]:
    """Start, end, and how long both took; only what there is."""
    found: dict[str, Any] = {}
    if started:
        found["started_at"] = timestamp(prediction.at(span.started), style, prediction.look.digits)
    if over:
        found["completed_at"] = timestamp(prediction.at(span.ended), style, prediction.look.digits)
        ran = {"predict_time": round(span.seconds, 6)} if started else {}
        found["metrics"] = ran | {"total_time": round(span.ended, 6)}
    return found


def _extras(prediction: Prediction, style: Style) -> dict[str, Any]:
    """What only some predictions have."""
    ask, found = prediction.ask, {}
    if ask.cancel_after < inf:
        deadline = prediction.created_at + timedelta(seconds=ask.cancel_after)
        found["deadline"] = timestamp(deadline, style, prediction.look.digits)
    if ask.deployment:
        found["deployment"] = ask.deployment
    if prediction.look.echo_webhook:
        return found | {"webhook": ask.webhook, "webhook_events_filter": sorted(ask.events)}
    return found


def _styled(body: dict[str, Any], style: Style) -> dict[str, Any]:
    """The two systems behind the API leave out, or show as null, different fields."""
    if style != "listed":
        dropped = {"output"} if body["output"] is None and body["status"] not in TERMINAL else set()
        return {name: value for name, value in body.items() if name not in dropped}
    absent: dict[str, Any] = {
        "completed_at": None,
        "started_at": None,
        "metrics": {},
        "webhook_completed": None,
        "source": "api",
    }
    return dict(sorted((absent | body | {"logs": body["logs"] or None, "source": "api"}).items()))
