"""Which records of a batch are new: each offset is taken once, in order, and none is passed over."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from stage.sift import Partition, Sifted, sift

PLACE: Partition = ("media.generated", 3)


@dataclass
class Rec:
    offset: int
    topic: str = PLACE[0]
    partition: int = PLACE[1]


def sifted(offsets: list[int], following: int, hole: int | None = None) -> Sifted[Rec]:
    return sift(map(Rec, offsets), {PLACE: following}, {} if hole is None else {PLACE: hole})


def offsets_of(seen: Sifted[Rec]) -> list[int]:
    return [record.offset for record in seen.fresh]


def test_new_records_are_taken_in_order() -> None:
    seen = sifted([5, 6, 7], following=5)

    assert (offsets_of(seen), seen.next, seen.jumped) == ([5, 6, 7], {PLACE: 8}, {})


def test_records_that_were_read_before_are_dropped() -> None:
    seen = sifted([3, 4, 5, 6], following=5)

    assert (offsets_of(seen), seen.next) == ([5, 6], {PLACE: 7})


def test_a_batch_of_old_records_moves_nothing() -> None:
    seen = sifted([1, 2, 3], following=5)

    assert (offsets_of(seen), seen.next, seen.jumped) == ([], {}, {})


def test_a_record_twice_in_a_batch_is_taken_once() -> None:
    assert offsets_of(sifted([5, 5, 6, 5, 6], following=5)) == [5, 6]


def test_a_batch_that_begins_behind_a_gap_is_left_out_and_says_where_to_go_back_to() -> None:
    seen = sifted([7, 8], following=5)

    assert (offsets_of(seen), seen.next, seen.jumped) == ([], {}, {PLACE: 5})


def test_a_gap_that_was_asked_for_and_holds_nothing_is_passed() -> None:
    assert offsets_of(sifted([7, 8], following=5, hole=5)) == [7, 8]


def test_a_hole_elsewhere_excuses_no_gap() -> None:
    assert sifted([7, 8], following=5, hole=4).jumped == {PLACE: 5}


def test_a_gap_between_records_of_one_fetch_is_the_logs_own() -> None:
    seen = sifted([5, 7, 8], following=5)

    assert (offsets_of(seen), seen.next) == ([5, 7, 8], {PLACE: 9})


def test_one_partition_that_jumped_holds_up_no_other() -> None:
    records = [Rec(9), Rec(1, partition=4), Rec(10), Rec(2, partition=4), Rec(1, topic="media.stored")]
    others: list[Partition] = [("media.generated", 4), ("media.stored", 3)]

    seen = sift(records, {PLACE: 5, others[0]: 1, others[1]: 1}, {})

    assert seen.fresh == [records[1], records[3], records[4]]
    assert (seen.next, seen.jumped) == ({others[0]: 3, others[1]: 2}, {PLACE: 5})


@settings(deadline=None)
@given(
    log=st.sets(st.integers(0, 40), min_size=1).map(sorted),
    fetches=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=30),
)
def test_whatever_is_fetched_again_or_passed_over_each_record_is_taken_once_in_order(
    log: list[int], fetches: list[tuple[int, int]]
) -> None:
    """The log has holes of its own; a fetch is a stretch of it from anywhere; a jump is followed by going back."""
    taken: list[int] = []
    following, holes = 0, dict[Partition, int]()
    for start, length in [*fetches, *[(0, 41)] * 2]:
        seen = sift(map(Rec, [offset for offset in log if offset >= start][:length]), {PLACE: following}, holes)
        if PLACE in seen.jumped:
            holes = {PLACE: seen.jumped[PLACE]}
            seen = sift(map(Rec, [offset for offset in log if offset >= following][:length]), {PLACE: following}, holes)
        taken += offsets_of(seen)
        following = seen.next.get(PLACE, following)

    assert taken == log
