"""What holds for every file's text: no place of one machine, no package registry, links that lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.repository.tree import ROOT, files, text_of

HOME = re.compile(r"(?<![\w.~}])/(?:root|home/[a-z][\w-]*|Users/[A-Za-z]\w*)(?=/)")

# In halves, so that this file does not name them.
REGISTRIES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "maven" + ".org",
    "maven.apache" + ".org",
    "npmjs" + ".org",
    "golang" + ".org",
]

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)(?: \"[^\"]*\")?\)")


def places(text: str, root: Path = ROOT) -> list[str]:
    """Paths of one machine in a text: someone's home, or the folder that this repository lies in."""
    return [match[0] for match in HOME.finditer(text)] + ([str(root)] if str(root) in text else [])


def dead_links(page: Path) -> list[str]:
    """Links of a Markdown page to files that are not there. Code is not looked at."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    targets = [link["target"].split("#")[0] for link in LINK.finditer(prose) if "://" not in link["target"]]
    return [target for target in targets if target and not (page.parent / target).exists()]


def test_no_file_names_a_place_on_one_machine() -> None:
    found = {str(file.relative_to(ROOT)): places(text_of(file)) for file in files()}

    assert {file: what for file, what in found.items() if what} == {}


def test_no_file_names_a_package_registry() -> None:
    found = [
        (str(file.relative_to(ROOT)), host) for file in files() for host in REGISTRIES if host in text_of(file).lower()
    ]

    assert found == []


@pytest.mark.parametrize("planted", ["/ro" + "ot/.cache/x", "see /ho" + "me/ann/darkroom", str(ROOT / "Makefile")])
def test_a_planted_machine_path_is_found(planted: str) -> None:
    assert places(planted)


@pytest.mark.parametrize("harmless", ["https://example.org/home/page", "~/root/x", "cd darkroom", "/api/v1/generate"])
def test_an_ordinary_path_is_not_taken_for_a_machine_path(harmless: str) -> None:
    assert places(harmless) == []


def test_every_link_between_pages_leads_to_a_file() -> None:
    found = {str(page.relative_to(ROOT)): dead_links(page) for page in files() if page.suffix == ".md"}

    assert {page: links for page, links in found.items() if links} == {}


def test_a_planted_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[here](page.md#top) [gone](missing.md) [far](https://example.org) `[code](no.md)`")

    assert dead_links(page) == ["missing.md"]
