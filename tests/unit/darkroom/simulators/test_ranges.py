import pytest

from darkroom.simulators.ranges import Span, UnsatisfiableError, span_of


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-9", Span(0, 10)),
        ("bytes=90-", Span(90, 100)),
        ("bytes=90-900", Span(90, 100)),
        ("bytes=-10", Span(90, 100)),
        ("bytes=-900", Span(0, 100)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-9", None),
    ],
)
def test_a_range_is_read_or_ignored(header: str | None, span: Span | None) -> None:
    assert span_of(header, 100) == span


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_beyond_the_end_there_is_nothing(header: str) -> None:
    with pytest.raises(UnsatisfiableError):
        span_of(header, 100)
