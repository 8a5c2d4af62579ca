"""A simulator as a process of its own."""

import asyncio
import signal
from typing import Any

import click


async def serve_until_signal(simulator: Any, name: str, hint: str) -> None:
    """Serve until SIGINT or SIGTERM. The first line on stdout says where, once it listens."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with simulator:
        click.echo(f"{name} is simulated at {simulator.url}\n  {hint.format(url=simulator.url)}")
        click.echo(f"  bill: {simulator.url}/_simulator/bill   Ctrl-C stops it")
        await stopping.wait()
        bill = simulator.bill()
    click.echo(f"{bill.creates} creates, {bill.charged} charged, {bill.seconds:.1f} s billed.")
