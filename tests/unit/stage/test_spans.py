"""Spans of time as people write them."""

from datetime import timedelta

import pytest

from stage.spans import span_in


@pytest.mark.parametrize(
    ("text", "span"),
    [("90s", {"seconds": 90}), ("45m", {"minutes": 45}), ("24h", {"hours": 24}), ("7d", {"days": 7}), ("0s", {})],
)
def test_a_number_and_a_unit_is_a_span(text: str, span: dict[str, int]) -> None:
    assert span_in(text) == timedelta(**span)


@pytest.mark.parametrize("text", ["", "90", "s", "1h30m", "-5m", "1.5h", "7w", "999999d", "５s ", "P7D"])
def test_anything_else_is_none(text: str) -> None:
    assert span_in(text) is None
