"""What the launchers do alike before their server can start, and how they ask whether it has."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from darkroom.local.part import LocalError
from darkroom.local.ports import HOST

Say = Callable[[str], None]  # tells a person, in one line, what takes a while

# What a server may know of our own environment. JAVA_TOOL_OPTIONS, PGDATA, RCLONE_CONFIG and their like would bend it.
_HANDED_DOWN = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")


def nobody_listens(line: str) -> None:
    """The `Say` of who does not want to know."""


def plain_environment(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """The whole environment for a server: a few harmless variables of ours, and `more`."""
    return {name: environ[name] for name in _HANDED_DOWN if name in environ} | more


def require_unix() -> None:
    """Refuse early where these servers do not come as we need them."""
    if sys.platform not in ("linux", "darwin"):
        raise LocalError(f"the local stack runs on Linux and macOS, not on {sys.platform}: use WSL, or docker compose")


def run_to_end(what: str, argv: Sequence[str], env: Mapping[str, str], *, cwd: Path, user: str | None = None) -> None:
    """Run a short program, as `user` if given. `LocalError` with its last words when it cannot or does not succeed."""
    try:
        done = subprocess.run(  # noqa: S603 - the argv is ours
            argv,
            env=env,
            cwd=cwd,
            user=user,
            group=group_of(user) if user else None,
            extra_groups=[] if user else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise LocalError(
            f"{what} cannot run {argv[0]} ({error.strerror}): is its package complete, and made for this machine?"
        ) from error
    if done.returncode != 0:
        words = " / ".join(done.stdout.strip().splitlines()[-3:]) or "no output"
        raise LocalError(f"{what} failed with exit code {done.returncode}: {words}")


def group_of(user: str) -> int:
    """The group to run `user`'s programs in: without it they would keep root's."""
    import pwd  # not on Windows, where we want to get as far as saying so

    return pwd.getpwnam(user).pw_gid


def is_root() -> bool:
    """Whether we may do anything, and PostgreSQL therefore refuses to run as us."""
    return os.geteuid() == 0


async def exchange(port: int, request: bytes, at_most: int = 4096) -> bytes:
    """Send `request` to a server of this machine and return the first bytes it answers; none if it does not."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(request)
                return await reader.read(at_most)
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""
