"""The provider of the how-to page is added as the page says, and keeps the protocol."""

import re

import pytest

from generator_service.calls import Capability
from tests.repository.tree import ROOT, TOOLS
from tests.working_copy import WorkingCopy

PAGE = "add-a-provider.md"
CHANGED = ["generator_service/providers", "tests/contract/acme.py", "tests/contract/benches.py"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> WorkingCopy:
    """The repository after the page's steps."""
    copy = WorkingCopy.at(tmp_path_factory.mktemp("provider"))
    copy.apply(PAGE)
    return copy


def test_the_pages_provider_keeps_the_protocol(copy: WorkingCopy) -> None:
    suite = ("tests/contract/test_providers.py", "-k", "acme or every_provider")

    said = copy.succeeds("-m", "pytest", "-q", "-p", "no:cacheprovider", *suite)

    [passed] = re.findall(r"^(\d+) passed", said, re.MULTILINE)
    assert int(passed) > 10


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_the_pages_code_is_in_the_house_style(copy: WorkingCopy, command: tuple[str, ...]) -> None:
    copy.executes(str(TOOLS / "ruff"), *command, "--no-cache", *CHANGED)


def test_the_page_names_every_capability() -> None:
    page = (ROOT / "docs" / "how-to" / PAGE).read_text(encoding="utf-8")

    assert [name.name for name in Capability if f"`{name.name}`" not in page] == []
