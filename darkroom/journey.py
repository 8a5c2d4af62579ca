"""A job's way through the stages, told from the answer of the status route. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

BAR = 30  # characters for the longest stage


def stages(job: Mapping[str, Any]) -> dict[str, float]:
    """Seconds per stage, in order, for all outputs together; a stage whose end is not known is left out."""
    media = job["media"]
    ends = {
        "waiting": _first(output.get("submitted_at") for output in media) or _time(job.get("started_at")),
        "generating": _last(output.get("generated_at") for output in media),
        "storing": _last(output.get("stored_at") for output in media),
        "completing": _time(job.get("completed_at")),
    }
    began = _time(job["created_at"])
    took: dict[str, float] = {}
    for stage, end in ends.items():
        if began and end:
            took[stage] = max((end - began).total_seconds(), 0.0)
            began = max(began, end)
    return took


def as_bars(took: Mapping[str, float]) -> list[str]:
    """One line per stage with a bar of its share, and the sum."""
    longest = max(took.values(), default=0.0) or 1.0
    lines = [
        f"  {stage:<11} {seconds * 1000:>7,.0f} ms  {'━' * round(BAR * seconds / longest)}".rstrip()
        for stage, seconds in took.items()
    ]
    return [*lines, f"  {'altogether':<11} {sum(took.values()) * 1000:>7,.0f} ms"]


def steps_done(output: Mapping[str, Any]) -> int:
    """How many of the three steps of an output are behind it: taken up, generated, stored."""
    return {"queued": 0, "generating": 1, "reconciling": 1, "storing": 2, "done": 3}.get(phase_of(output), 0)


def phase_of(output: Mapping[str, Any]) -> str:
    """What an output is waiting for, or how it ended when that was not well."""
    status = str(output.get("status", "")).lower()
    return status if status in ("failed", "cancelled", "expired") else str(output.get("phase") or status)


def _first(times: Iterable[str | None]) -> datetime | None:
    return min((time for text in times if (time := _time(text))), default=None)


def _last(times: Iterable[str | None]) -> datetime | None:
    return max((time for text in times if (time := _time(text))), default=None)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
