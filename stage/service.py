"""A service as a process: its HTTP port, its loops, a clean stop at SIGTERM and a loud one at a bug."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, NoReturn

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from stage.metrics import metrics_route
from stage.server import Server
from stage.telemetry import get_logger

log = get_logger(__name__)

KEEP_ALIVE_SECONDS = 75
"""For an idle connection: longer than load balancers keep theirs (60), which would ask on one that is just closed."""

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""Runs until the event is set. An exception ends the service with exit code 1."""

Check = Callable[[], Awaitable[None]]
"""Returns when a dependency answers, raises when it does not."""

STOP_SECONDS = 8.0


def health_app(checks: Mapping[str, Check], routes: Sequence[BaseRoute] = ()) -> Starlette:
    """An app with `/health` (the process lives), `/health/ready` (what it needs answers), `/metrics`, and `routes`."""
    return Starlette(routes=[*health_routes(checks), metrics_route(), *routes])


def health_routes(checks: Mapping[str, Check]) -> list[BaseRoute]:
    """`/health` and `/health/ready`, for any app."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "healthy"})

    async def ready(_: Request) -> JSONResponse:
        good, parts = await readiness(checks)
        body = {"status": "ready" if good else "not ready", "checks": parts}
        return JSONResponse(body, status_code=200 if good else 503)

    return [Route("/health", live), Route("/health/ready", ready)]


async def readiness(checks: Mapping[str, Check]) -> tuple[bool, dict[str, str]]:
    """Whether everything answers within two seconds, and each check's answer: `ok`, or the kind of fault."""
    answers = await asyncio.gather(*(_answer(check) for check in checks.values()))
    return all(answer == "ok" for answer in answers), dict(zip(checks, answers, strict=True))


async def _answer(check: Check) -> str:
    try:
        async with asyncio.timeout(2):
            await check()
    except Exception as fault:  # noqa: BLE001 - whatever it is, the answer is "not ready" and why
        return type(fault).__name__
    return "ok"


def run_to_end(service: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a service and end the process with the exit code it returns."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        raise SystemExit(runner.run(service))


async def serve(
    name: str, app: Any, host: str, port: int, loops: Sequence[Loop], http: type[asyncio.Protocol] | None = None
) -> int:
    """Serve `app` and run `loops` until SIGTERM or SIGINT. Returns the exit code: 0, or 1 when a loop failed.

    `http` speaks HTTP in place of uvicorn's own protocol.
    """
    listening = _listen(name, host, port)  # before anything runs that would have to be stopped again
    stopping = asyncio.Event()
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, stopping.set)
    config = uvicorn.Config(app, http=http or "auto", ws="none", log_config=None, access_log=False,
                            server_header=False, lifespan="off", timeout_graceful_shutdown=5,
                            timeout_keep_alive=KEEP_ALIVE_SECONDS)  # fmt: skip
    server = Server(config)
    tasks = [asyncio.create_task(_named(loop, stopping), name=str(loop)) for loop in loops]
    web = asyncio.create_task(server.serve(sockets=[listening]))
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be looked at again
    gc.set_threshold(100_000, 50, 1_000)  # decoding and folding went 3 to 6 times faster
    log.info("started", port=port)
    halt = asyncio.create_task(stopping.wait())
    await asyncio.wait([halt, web, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stopping.set()
    server.should_exit = True
    _, late = await asyncio.wait([web, *tasks], timeout=STOP_SECONDS)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=1)
    return _exit_code([web, *tasks])


async def _named(loop: Loop, stopping: asyncio.Event) -> None:
    await loop(stopping)


def _exit_code(tasks: Sequence["asyncio.Task[None]"]) -> int:
    code = 0
    for task in tasks:
        if task.done() and not task.cancelled() and (fault := task.exception()):
            log.critical("stopped by a fault", fault=type(fault).__name__, reason=str(fault), exc_info=fault)
            code = 1
    log.info("stopped", exit_code=code)
    return code


def _listen(name: str, host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # Named as TCP: otherwise asyncio leaves small answers to wait for the other side's delayed acknowledgement.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2_048)
        return listening
    except OSError as fault:
        print(f"{name}: cannot listen on {host}:{port}: {fault.strerror}: free it or set another port", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
