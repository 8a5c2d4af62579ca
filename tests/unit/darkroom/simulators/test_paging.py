import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.simulators.replicate.paging import BadCursorError, page


@given(st.integers(0, 40), st.integers(1, 10))
def test_pages_hold_everything_once_newest_first_both_ways(count: int, size: int) -> None:
    items = [(number, number) for number in range(1, count + 1)]
    pages = [page(items, None, size)]
    while pages[-1].next:
        pages.append(page(items, pages[-1].next, size))
    back = [pages[-1]]
    while back[-1].previous:
        back.append(page(items, back[-1].previous, size))

    assert [item for one in pages for item in one.items] == list(range(count, 0, -1))
    assert [one.items for one in back[:-1]][::-1] == [one.items for one in pages[1:]]


def test_a_cursor_keeps_its_place_while_others_are_added() -> None:
    items = [(number, number) for number in range(1, 8)]
    first = page(items, None, 3)

    second = page([*items, (8, 8), (9, 9)], first.next, 3)

    assert second.items == [4, 3, 2]


@pytest.mark.parametrize("cursor", ["x", "b2xkPTE=", "bz14", "ÿ"])
def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursorError):
        page([(1, 1)], cursor, 3)
