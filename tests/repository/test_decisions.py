"""docs/decisions: each page has its number, its date and its four parts."""

import re
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

PAGES = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PARTS = ["Context", "Decision", "Consequences", "Not chosen"]
TITLE = re.compile(r"# (?P<number>\d{4}): \S.* \((?:accepted \d{4}-\d\d-\d\d|superseded by \d{4})\)")


def faults(name: str, text: str) -> list[str]:
    """What a decision's page lacks."""
    title = TITLE.fullmatch(text.partition("\n")[0])
    found = []
    if title is None:
        found.append("the first line is not `# 0001: Title (accepted 2026-01-31)`")
    elif not name.startswith(f"{title['number']}-"):
        found.append(f"the file's name does not start with {title['number']}-")
    if re.findall(r"^\*\*([^*]+)\*\* \S", text, flags=re.MULTILINE) != PARTS:
        found.append(f"the parts are not {', '.join(PARTS)}, in this order, each with a text")
    return found


def test_decisions_are_written_down() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_says_why_and_what_was_not_chosen(page: Path) -> None:
    assert faults(page.name, page.read_text()) == []


def test_no_two_decisions_have_one_number() -> None:
    numbers = [page.name[:4] for page in PAGES]

    assert len(set(numbers)) == len(numbers)


def test_a_page_without_what_was_not_chosen_is_found() -> None:
    page = "# 0007: Short (accepted 2026-01-12)\n**Context** A.\n**Decision** B.\n**Consequences** C.\n"

    assert faults("0007-short.md", page + "**Not chosen** D.\n") == []
    assert faults("0008-short.md", page + "**Not chosen** D.\n") == ["the file's name does not start with 0007-"]
    assert len(faults("0007-short.md", page)) == 1
