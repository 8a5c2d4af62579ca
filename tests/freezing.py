"""Servers that stand still: their ports take connections and bytes, and nobody answers."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from darkroom.local.stack import Stack


@contextmanager
def frozen(servers: Stack) -> Iterator[None]:
    """PostgreSQL stands still: its port takes connections, and nobody answers."""
    pid = servers.describe("postgres").pid
    assert pid is not None
    server = psutil.Process(pid)
    family = [server, *server.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in family:
            process.send_signal(signal.SIGCONT)
