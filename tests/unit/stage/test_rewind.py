"""Which partitions somebody else moved back while a reader went on."""

from stage.rewind import rewound

PLACE, OTHER = ("job.requested", 3), ("media.stored", 4)


def test_a_place_that_is_stored_below_what_was_followed_was_moved_back() -> None:
    assert rewound({PLACE: 500, OTHER: 7}, {PLACE: (0, "c"), OTHER: (7, "c")}) == {PLACE: 0}


def test_a_reader_that_went_on_meanwhile_was_not_moved() -> None:
    assert rewound({PLACE: 500}, {PLACE: (900, "c")}) == {}


def test_a_place_that_is_not_stored_is_left_alone() -> None:
    assert rewound({PLACE: 500}, {}) == {}
