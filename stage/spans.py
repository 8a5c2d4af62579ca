"""Spans of time as people write them: 90s, 30m, 24h, 7d."""

import re
from datetime import timedelta

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
AS_WRITTEN = re.compile(r"(\d{1,5})([smhd])")


def span_in(text: str) -> timedelta | None:
    """The span that `text` says, or None when it says none."""
    told = AS_WRITTEN.fullmatch(text)
    return timedelta(**{UNITS[told[2]]: int(told[1])}) if told else None
