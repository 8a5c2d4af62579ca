import sys
from pathlib import Path

import pytest

from darkroom.local.cache import cache_folder, usable_folder, write_whole
from darkroom.local.part import LocalError


def test_the_cache_is_where_darkroom_cache_says() -> None:
    assert cache_folder({"DARKROOM_CACHE": "/somewhere", "XDG_CACHE_HOME": "/other"}) == Path("/somewhere")


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has a place of its own")
def test_the_cache_is_in_the_users_cache_folder() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/other"}) == Path("/other/darkroom")
    assert cache_folder({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache" / "darkroom"
    assert cache_folder({}) == Path.home() / ".cache" / "darkroom"


def test_a_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    folder = usable_folder(tmp_path / "a" / "b", setting="DARKROOM_CACHE")

    assert folder.is_dir()
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_written_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(LocalError, match=r"cannot write in .*file/cache \(.*DARKROOM_CACHE"):
        usable_folder(tmp_path / "file" / "cache", setting="DARKROOM_CACHE")


def test_a_file_is_replaced_whole_with_its_permissions_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old and longer")

    write_whole(path, "new", mode=0o600)

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
