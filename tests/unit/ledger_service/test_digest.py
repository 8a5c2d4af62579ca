"""When two sets of tables are the same, and when they are not."""

from dataclasses import replace

import pytest

from ledger_service.digest import Comparison, Sums, digest_of

JOBS = Sums(rows=2, first=-7, second=11)
TABLES = {"jobs": JOBS, "facts": Sums(rows=9, first=1, second=2)}


def compared(**changed: Sums) -> Comparison:
    return Comparison(TABLES, TABLES | changed, {})


def test_tables_with_the_same_rows_are_equal() -> None:
    same = compared()

    assert same.equal
    assert same.digests == (digest_of(TABLES), digest_of(TABLES))


@pytest.mark.parametrize("other", [replace(JOBS, rows=3), replace(JOBS, first=7), replace(JOBS, second=12)], ids=str)
def test_a_row_more_or_another_value_makes_them_differ(other: Sums) -> None:
    differing = compared(jobs=other)

    assert not differing.equal
    assert differing.digests[0] == digest_of(TABLES) != differing.digests[1]


def test_the_same_rows_in_another_table_make_them_differ() -> None:
    swapped = {"jobs": TABLES["facts"], "facts": TABLES["jobs"]}

    assert not Comparison(TABLES, swapped, {}).equal


def test_a_digest_does_not_depend_on_the_order_of_the_tables() -> None:
    assert digest_of(dict(reversed(TABLES.items()))) == digest_of(TABLES)
