"""Headers on their way through the outbox's one column."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stage.outbox import _pack, _record


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.none() | st.binary())))
def test_headers_come_out_as_they_went_in(headers: list[tuple[str, bytes | None]]) -> None:
    row: Any = {"topic": "dlq", "partition": None, "key": b"k", "value": None, "headers": _pack(headers)}

    record = _record(row)

    assert list(record.headers) == headers
    assert (record.topic, record.partition, record.key, record.value) == ("dlq", None, b"k", None)
