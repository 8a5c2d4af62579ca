"""The requirements files: every entry pinned and hashed, no addresses, and what pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.repository.tree import ROOT

LOCKS = {"requirements.txt": (), "requirements-local.txt": ("local",), "requirements-dev.txt": ("local", "dev")}

ENTRY = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>\S+)(?: ; [^#]+?)?(?: --hash=sha256:[0-9a-f]{64})+")


def entries(lock: str) -> list[str]:
    """One line for each entry of a requirements file, hashes and all."""
    return [line.strip() for line in re.sub(r"\s*\\\n\s*", " ", lock).splitlines() if line.strip()]


def faults(lock: str) -> list[str]:
    """The entries that pip would not check against a hash, or that say where to fetch from."""
    return [entry for entry in entries(lock) if not ENTRY.fullmatch(entry) or "://" in entry]


def pins(lock: str) -> dict[str, str]:
    return {match["name"]: match["version"] for entry in entries(lock) if (match := ENTRY.fullmatch(entry))}


def asked_for(extras: tuple[str, ...]) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(line) for lines in lists for line in lines]


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_of_a_lock_file_is_pinned_and_hashed_and_names_no_address(name: str) -> None:
    lock = (ROOT / name).read_text()

    assert entries(lock)
    assert faults(lock) == []


HASH = "--hash=sha256:" + 64 * "0"


@pytest.mark.parametrize(
    "planted",
    [
        "somewhere==1.0",
        f"somewhere>=1.0 {HASH}",
        f"somewhere @ https://example.org/somewhere.whl {HASH}",
        "--index-url https://example.org/simple",
        "-e .",
    ],
)
def test_a_planted_entry_without_a_hash_or_with_an_address_is_found(planted: str) -> None:
    assert faults(f"good==1.0 \\\n    {HASH}\n{planted}\n") == [planted]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_holds_what_pyproject_asks_for(name: str) -> None:
    pinned = pins((ROOT / name).read_text())

    stale = [
        str(wanted)
        for wanted in asked_for(LOCKS[name])
        if not wanted.specifier.contains(pinned.get(canonicalize_name(wanted.name), "0"))
    ]

    assert stale == [], "pyproject.toml changed: run make lock"


def test_the_three_lock_files_agree_on_every_version() -> None:
    base, local, dev = (pins(Path(ROOT / name).read_text()) for name in LOCKS)

    assert base.items() <= local.items() <= dev.items()
