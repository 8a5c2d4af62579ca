"""Which port each part listens on: a given one, or a free one."""

import errno
import random
import socket
from contextlib import closing

from darkroom.local.part import LocalError

HOST = "127.0.0.1"

# Below where Linux (32768) and macOS (49152) take the ports of outgoing connections from. A server that dies must find
# its port free when it comes back, while clients knock on it all the time: on a port out of that range the kernel could
# lend it to one of them, which then even ends up connected to itself.
FREE_PORTS = range(20_000, 32_000)


def claim(name: str, wanted: int | None = None) -> int:
    """The port for part `name`: `wanted` if it is given and free, else a free one.

    Nothing holds the port until the part listens on it. `LocalError` escapes when `wanted` cannot be had.
    """
    if not wanted:
        return _free_port()
    if not 0 < wanted < 65_536:
        raise LocalError(f"port {wanted} ({name}) does not exist: give one from 1 to 65535 with --port {name}=N")
    try:
        _try(wanted)
    except PermissionError as error:
        raise LocalError(
            f"port {wanted} ({name}) is for root only: give one above 1023 with --port {name}=N"
        ) from error
    except OSError as error:
        raise LocalError(
            f"port {wanted} ({name}) is taken by another program: stop it or give another with --port {name}=N"
        ) from error
    return wanted


def _free_port() -> int:
    for port in random.sample(FREE_PORTS, k=len(FREE_PORTS)):
        try:
            _try(port)
        except OSError:
            continue
        return port
    raise LocalError(f"no port from {FREE_PORTS.start} to {FREE_PORTS.stop - 1} is free: stop some programs")


def _try(port: int) -> None:
    """Raise OSError unless a server could listen on `port` of this machine now."""
    with closing(socket.socket()) as server:
        # As servers do, so that connections which linger after a restart do not count.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((HOST, port))
    # With SO_REUSEADDR, macOS lets us bind beside a program that listens on all addresses; a connection tells.
    with closing(socket.socket()) as client:
        client.settimeout(0.5)
        if client.connect_ex((HOST, port)) == 0:
            raise OSError(errno.EADDRINUSE, "something answers there")
