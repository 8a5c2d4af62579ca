"""As root, PostgreSQL runs as somebody else, who may not enter a home like this test's."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from darkroom.local.part import LocalError
from darkroom.local.ports import claim
from darkroom.local.postgres import postgres_part
from darkroom.local.postgres_place import NOBODY, discard

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    tmp_path.chmod(0o700)
    home = tmp_path / "home"
    home.mkdir()
    yield home
    discard(home)


def prepare(home: Path) -> Path:
    """Prepare PostgreSQL in `home`; where its cluster lies."""
    part = postgres_part(home, claim("postgres"), os.environ)
    assert part.user == NOBODY
    assert part.cwd is not None
    return part.cwd


def test_the_cluster_lies_outside_a_private_home_which_stays_private(home: Path) -> None:
    cluster = prepare(home)

    assert home not in cluster.parents
    assert (home / "postgres" / "cluster").readlink() == cluster
    assert cluster.stat().st_mode & 0o077 == 0
    assert home.parent.stat().st_mode & 0o777 == 0o700


def test_the_same_home_finds_its_cluster_again_also_after_it_was_moved(home: Path) -> None:
    cluster = prepare(home)
    moved = home.rename(home.with_name("moved"))

    assert prepare(moved) == cluster

    moved.rename(home)


def test_a_copied_home_is_refused_while_the_first_is_there(home: Path) -> None:
    prepare(home)
    copy = home.with_name("copy")
    shutil.copytree(home, copy, symlinks=True)

    with pytest.raises(LocalError, match="is a copy of"):
        prepare(copy)


def test_a_home_that_was_removed_and_made_again_starts_empty_and_leaves_nothing_behind(home: Path) -> None:
    first = prepare(home)
    shutil.rmtree(home)
    home.mkdir()

    second = prepare(home)

    assert second != first
    assert not first.exists()


def test_a_home_whose_cluster_is_gone_says_so(home: Path) -> None:
    shutil.rmtree(prepare(home))

    with pytest.raises(LocalError, match=rf"gone from .*: remove {home} to start empty"):
        prepare(home)


def test_a_home_that_everyone_may_enter_holds_its_cluster_itself() -> None:
    with TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)

        assert prepare(home) == home / "postgres" / "cluster"
