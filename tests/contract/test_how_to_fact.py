"""The fact of the how-to page is added as the page says, and everything that holds for facts holds for it."""

import json
import re
from pathlib import Path

import pytest

from tests.repository.tree import TOOLS
from tests.working_copy import WorkingCopy

PAGE = "add-a-fact.md"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> WorkingCopy:
    """The repository after the page's steps, its schemas not written anew yet."""
    copy = WorkingCopy.at(tmp_path_factory.mktemp("fact"))
    copy.apply(PAGE)
    return copy


def passed(copy: WorkingCopy, *argv: str) -> int:
    """How many of these tests passed in the copy. Fails when one of them fails."""
    said = copy.succeeds("-m", "pytest", "-q", "-p", "no:cacheprovider", *argv, within=240)
    [number] = re.findall(r"^(\d+) passed", said, re.MULTILINE)
    return int(number)


def test_the_pages_schemas_are_written_and_break_nobody(copy: WorkingCopy) -> None:
    forgotten = copy.run("-m", "darkroom", "schemas", "check")
    written = copy.succeeds("-m", "darkroom", "schemas", "write")
    copy.succeeds("-m", "darkroom", "schemas", "check")

    schema = json.loads((copy.root / "schemas" / "json" / "thumbnail.stored.v1.json").read_text(encoding="utf-8"))
    assert forgotten.returncode == 1
    assert "thumbnail.stored.v1.json does not say what the classes say" in forgotten.stderr
    assert written.splitlines() == ["asyncapi.json", "thumbnail.stored.v1.json", "2 files changed."]
    assert schema["description"] == "A small picture of one output is in the bucket, for lists."


def test_the_pages_fact_keeps_every_promise_of_facts(copy: WorkingCopy) -> None:
    copy.succeeds("-m", "darkroom", "schemas", "write")

    assert passed(copy, "tests/contract/test_golden.py", "-k", "thumbnail or golden_file") > 7
    assert passed(copy, "tests/contract/test_schemas.py", "-k", "thumbnail or committed or every_fact") > 5
    assert passed(copy, "tests/contract/test_asyncapi.py") > 40


def test_the_pages_ledger_keeps_the_fact_on_real_servers(copy: WorkingCopy) -> None:
    assert passed(copy, "tests/integration/ledger_service/test_thumbnails.py") == 7


def test_the_pages_migration_makes_the_pages_table_and_locks_none_in_use(copy: WorkingCopy) -> None:
    assert passed(copy, "tests/repository/test_migrations.py", "-k", "ledger") == 2


@pytest.mark.parametrize("command", [("check",), ("format", "--check")])
def test_the_pages_code_is_in_the_house_style(copy: WorkingCopy, command: tuple[str, ...]) -> None:
    changed = [
        "schemas", "ledger_service", "tests/contract/facts.py", "tests/integration/ledger_service/test_thumbnails.py"
    ]  # fmt: skip

    copy.executes(str(TOOLS / "ruff"), *command, "--no-cache", *changed)


@pytest.mark.parametrize("where", ["schemas/events.py", "ledger_service/store.py"])
def test_a_page_whose_place_is_gone_is_found(tmp_path: Path, where: str) -> None:
    copy = WorkingCopy.at(tmp_path)
    (copy.root / where).write_text("", encoding="utf-8")

    with pytest.raises(AssertionError, match=f"{where} has 0 lines that read"):
        copy.apply(PAGE)
