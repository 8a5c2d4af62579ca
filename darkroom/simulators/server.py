"""An HTTP server on a port of this machine, whose applications may hang up on their clients."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LOCAL = "127.0.0.1"
HANG_UP = "darkroom.hang_up"  # the key in an ASGI scope: a function that ends the connection, sending nothing more


class PortTakenError(Exception):
    """Something else listens on the port that was asked for."""


class Line(HttpToolsProtocol):
    """A connection that the application can cut: no status, no rest of a body."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app: ASGIApp = self.app

        async def cuttable(scope: Scope, receive: Receive, send: Send) -> None:
            scope[HANG_UP] = transport.abort
            await app(scope, receive, send)

        self.app = cuttable


class _Server(uvicorn.Server):
    """Leaves the signals to whoever runs it, and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up, self.leaving = asyncio.Event(), asyncio.Event()

    async def main_loop(self) -> None:
        """As uvicorn's, but gone as soon as it is told to leave."""
        while not self.leaving.is_set():
            await self.on_tick(0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.leaving.wait(), 1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `port`, or on a free one when that is 0. `PortTakenError` escapes."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2_048)
    except OSError as fault:
        listening.close()
        raise PortTakenError(f"cannot listen on {host}:{port}: {fault.strerror}") from fault
    return listening


@asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    """Serve `app` on the socket until the block ends; whoever is connected then is cut off."""
    config = uvicorn.Config(
        app, http=Line, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=1, timeout_keep_alive=75,
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        up = asyncio.create_task(server.up.wait())
        await asyncio.wait([up, task], return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        yield
    finally:
        server.leaving.set()
        await task
        listening.close()
