"""What the launchers hand to the supervisor: one process each, as a value."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


class LocalError(Exception):
    """The local stack cannot run: names the cause and the cure in one line."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process of the local stack: how to start it, how to tell that it is ready, how to stop it."""

    name: str  # "kafka", "postgres", "s3", "gateway", "generator-1"
    argv: tuple[str, ...]
    env: Mapping[str, str]  # the whole environment of the child
    port: int
    url: str  # what a person would use; never holds a password
    ready: Callable[[], Awaitable[bool]]  # cheap; False while not ready, never raises for "not yet"
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None  # run as this user (only when we are root)
    cwd: Path | None = None
