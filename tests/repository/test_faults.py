"""docs/faults.md: every row names tests that exist."""

import ast
import re

from tests.repository.tree import ROOT

PAGE = (ROOT / "docs" / "faults.md").read_text()
NAMED = re.compile(r"`(?P<file>[\w/]+\.py)::(?P<test>test_\w+)`")
COLUMNS = 5


def rows(page: str) -> list[list[str]]:
    """The cells of every row of the tables, without the heads."""
    lines = [line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line] for line in lines if line[-1].strip() != "test"]


def faults(page: str) -> list[str]:
    """Rows that are not whole, and tests that are not there."""
    found = []
    for cells in rows(page):
        named = NAMED.findall(cells[-1])
        if len(cells) != COLUMNS or not all(cells) or not named:
            found.append(f"not whole: {cells[0]}")
        found += [f"not there: {file}::{test}" for file, test in named if test not in names_in(file)]
    return found


def names_in(file: str) -> set[str]:
    """The functions of a file; none when there is no such file."""
    path = ROOT / "tests" / file
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_fault_is_written_down_whole_and_names_a_test_that_exists() -> None:
    assert len(rows(PAGE)) > 30
    assert faults(PAGE) == []


def test_a_row_without_a_test_or_with_one_that_is_gone_is_found() -> None:
    file = "repository/test_faults.py"

    assert faults(f"| a | b | c | d | `{file}::test_a_row_without_a_test_or_with_one_that_is_gone_is_found` |") == []
    assert faults(f"| a | b | c | d | `{file}::test_gone` |") == [f"not there: {file}::test_gone"]
    assert faults("| a | b | c | d | `nowhere.py::test_gone` |") == ["not there: nowhere.py::test_gone"]
    assert faults("| a | b | c | d | none |") == ["not whole: a"]
    assert faults(f"| a | b | c | `{file}::test_every_fault_is_written_down_whole_and_names_a_test_that_exists` |") == [
        "not whole: a"
    ]


def test_every_test_of_storing_in_the_whole_system_is_in_a_row() -> None:
    shown = {name for cells in rows(PAGE) for name in NAMED.findall(cells[-1])}
    files = [f"pipeline/storing/{path.name}" for path in (ROOT / "tests/pipeline/storing").glob("test_*.py")]

    assert {(file, name) for file in files for name in names_in(file) if name.startswith("test_")} <= shown
