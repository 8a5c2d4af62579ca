"""A stack in the foreground of a terminal: up until Ctrl-C."""

import asyncio
import time
from contextlib import suppress

import click

from darkroom.commands.welcome import welcome
from darkroom.local.home import shown
from darkroom.local.stack import Stack
from darkroom.local.told_to_stop import leave, until_told_to_stop


def say(line: str) -> None:
    """Tell people, if somebody still listens: what runs must go on when they have closed the terminal."""
    with suppress(OSError):
        click.echo(line)


async def run_until_told_to_stop(stack: Stack) -> None:
    """Bring the stack up, say where everything is, and keep it until a signal; `LocalError` when it cannot run."""
    began = time.monotonic()

    async def work() -> None:
        async with stack:
            say(
                welcome(
                    stack.urls(),
                    shown(stack.home),
                    time.monotonic() - began,
                    keys=stack.environ["GATEWAY_AUTH"] == "keys",
                )
            )
            await asyncio.Event().wait()

    told = await until_told_to_stop(work(), lambda: say("\nStopping… (again: kill at once)"))
    say("Stopped. Nothing is left running.")
    if told:
        leave(0)
