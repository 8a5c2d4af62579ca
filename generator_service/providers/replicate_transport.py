"""What `replicate` 1.0.7 cannot do by itself: a bound on what a call may cost, and reading every answer there is."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from generator_service.providers.transport import AnswerLost, OneShot

KEPT = "darkroom"
"""The name in `metrics`, the one field of 1.0.7's model that takes anything, of what it has no field for."""

AN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""What may be an id: it becomes part of a path, a row and a fact."""

READABLE = frozenset({"starting", "processing", "succeeded", "failed", "canceled"})


class ReplicateTransport(OneShot):
    """Puts `Cancel-After` on every create, and makes every prediction readable for 1.0.7.

    The bound matters when an answer is lost: it is all that ends a prediction whose id nobody knows.
    """

    def __init__(self, seconds: float, cancel_after: timedelta, inner: httpx.AsyncBaseTransport | None = None) -> None:
        super().__init__(seconds, inner)
        self._cancel_after = f"{round(cancel_after.total_seconds())}s"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/predictions"):
            request.headers["Cancel-After"] = self._cancel_after
        response = await super().handle_async_request(request)
        content = json.dumps(_legible(response.content)).encode()
        return httpx.Response(response.status_code, content=content, request=request)


def _legible(body: bytes) -> dict[str, Any]:
    """The answer with every prediction in it readable. `AnswerLost` escapes when it is none."""
    try:
        told = json.loads(body, parse_constant=lambda _: None)  # Python's own takes NaN, which is no JSON
    except (ValueError, RecursionError):
        raise AnswerLost("the answer is no JSON") from None
    if isinstance(told, dict) and isinstance(told.get("results"), list):
        known = [entry for entry in told["results"] if _is_prediction(entry)]
        return {"next": _text(told.get("next")), "previous": None, "results": [legible(entry) for entry in known]}
    if not _is_prediction(told):
        raise AnswerLost("the answer is no prediction")
    return legible(told)


def legible(prediction: Mapping[str, Any]) -> dict[str, Any]:
    """A prediction that 1.0.7's model takes. `aborted` it rejects; `data_removed`, `source`, `deployment` it forgets.

    A status that nobody has heard of is taken for `processing`: it is looked at again. Logs are left behind.
    """
    status, error, metrics = _text(prediction.get("status")), prediction.get("error"), prediction.get("metrics")
    kept = {"status": status, "data_removed": prediction.get("data_removed") is True}
    kept |= {name: _text(prediction.get(name)) for name in ("source", "deployment")}
    readable = status if status in READABLE else "canceled" if status == "aborted" else "processing"
    times = {name: _text(prediction.get(name)) for name in ("created_at", "started_at", "completed_at")}
    return times | {
        "id": prediction["id"],
        "model": _text(prediction.get("model")) or "",
        "version": _text(prediction.get("version")) or "",
        "status": readable,
        "input": prediction["input"] if isinstance(prediction.get("input"), dict) else None,
        "output": prediction.get("output"),
        "error": error if isinstance(error, str) or error is None else json.dumps(error),
        "metrics": (metrics if isinstance(metrics, dict) else {}) | {KEPT: kept},
    }


def _is_prediction(told: Any) -> bool:
    return isinstance(told, dict) and isinstance(told.get("id"), str) and AN_ID.fullmatch(told["id"]) is not None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
