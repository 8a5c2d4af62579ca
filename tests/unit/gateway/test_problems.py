"""Every kind of problem is written down for whoever meets it."""

import re
from pathlib import Path

from gateway.problems import TYPE
from gateway.refusing import KINDS

ROOT = Path(__file__).parents[3]
RAISED = re.compile(r'Problem\(\s*(\d{3}), "([a-z-]+)"')
LISTED = re.compile(rf"^\| `{TYPE}([a-z-]+)` \| (\d{{3}}) \|", re.MULTILINE)


def raised() -> set[tuple[str, int]]:
    """Each kind that the gateway's code names, with its status."""
    sources = [file.read_text() for file in (ROOT / "gateway").glob("*.py")]
    found = {(kind, int(status)) for source in sources for status, kind in RAISED.findall(source)}
    frameworks = {(kind, status) for status, kind in KINDS.items()} | {("bad-request", 400)}
    return found | frameworks


def test_the_page_lists_each_problem_with_its_status_and_no_other() -> None:
    page = (ROOT / "docs" / "problems.md").read_text()

    listed = {(kind, int(status)) for kind, status in LISTED.findall(page)}

    assert listed == raised()
    assert len(listed) > 10
