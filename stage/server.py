"""An HTTP server that may be stopped under load: whoever can still be answered is, and is told to leave."""

import asyncio
import ctypes
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic

import uvicorn

CLOSE = (b"connection", b"close")
DRAIN_SECONDS = 1.0
"""How long a connection may be idle before it is closed on a client that may be about to ask."""
ARRIVING_SECONDS = 0.1
"""For connections that are being made when the port closes: a round trip to a client that is far away."""
LOOK_EVERY = 0.02

SO_ATTACH_FILTER = 26
"""Linux's, on all machines that matter. Python has no name for it."""
ALL_BUT_SYN = (
    (0x30, 0, 0, 13),  # the flags of a TCP header
    (0x45, 0, 1, 0x02),  # SYN
    (0x06, 0, 0, 0),  # dropped
    (0x06, 0, 0, 0xFFFFFFFF),  # or taken whole
)
"""Classic BPF: operation, where to go when true and when false, operand."""


class Server(uvicorn.Server):
    """uvicorn, but for its end, which would cut off whoever connects or asks on a kept connection at that moment.

    Signals are not its business: it would raise them again, which ends the process before the loops are done.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop once everybody has left, within twice `DRAIN_SECONDS` and what running requests are given.

        For `DRAIN_SECONDS` the port is open and connections are kept, but each answer ends its own. Then the port is
        closed. A connection on which nothing was asked is closed when it has been idle for as long.
        """
        state = self.server_state
        state.default_headers = [*state.default_headers, CLOSE]
        before = set(state.connections)
        for connection in before:
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and not cycle.response_complete:
                connection.shutdown()  # this answer was begun with the old headers
        await self._everybody_has_left()
        await self._close_port(sockets or [])
        for connection in before & state.connections:
            connection.shutdown()
        await self._everybody_has_left()
        await super().shutdown(sockets)

    async def _everybody_has_left(self) -> None:
        """Return when nobody is connected, or after `DRAIN_SECONDS`."""
        end = monotonic() + DRAIN_SECONDS
        while self.server_state.connections and monotonic() < end:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(LOOK_EVERY)

    async def _close_port(self, sockets: Sequence[socket.socket]) -> None:
        """Refuse whoever connects from now on, and nobody who is connected already.

        Closing alone would cut off those whom the system has let in and we have not accepted yet.
        """
        for listening in sockets:
            _let_nobody_in(listening)
        await asyncio.sleep(ARRIVING_SECONDS)  # meanwhile they are accepted
        for server in self.servers:
            server.close()
        for listening in sockets:
            listening.close()


def _let_nobody_in(listening: socket.socket) -> None:
    """Leave whoever asks for a connection without an answer. The system asks again after a second: it is refused then.

    Only Linux can do that. Elsewhere the moment in which a port closes stays a dangerous one.
    """
    if sys.platform == "linux":
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in ALL_BUT_SYN))
        program = struct.pack("HP", len(ALL_BUT_SYN), ctypes.addressof(code))
        with suppress(OSError):  # a sandbox may forbid it
            listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
