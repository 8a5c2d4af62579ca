"""How a row is run and shown: the same for every row."""

import asyncio
import gc
import json
from collections.abc import Coroutine
from typing import Any

import click
import uvloop

from bench.report import Report

json_option = click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of the table.")
rounds_option = click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Of measuring.")


def say(words: str) -> None:
    """Tell people how far it is; on stderr, so that a program that reads the figures does not hear it."""
    click.echo(words, err=True)


def run(row: Coroutine[Any, Any, Report], *, as_json: bool) -> None:
    """Run the row to its end on the services' own event loop, and show what it found."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(row)
    if as_json:
        click.echo(json.dumps(report.line()))
    else:
        click.echo("\n".join(report.lines()))


def as_a_service_collects() -> None:
    """Collect garbage as rarely as `stage.service` does, so that no limit is lower for a reason of Python's."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
