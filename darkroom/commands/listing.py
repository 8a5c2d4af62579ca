"""The parts of the stack, as a table for people and as JSON for programs. Pure."""

import json
from collections.abc import Sequence

import click

from darkroom.local.state import PartState, State

SHOWN = ("name", "pid", "port", "url", "state", "restarts")
COLOURS = {State.READY: "green", State.FAILED: "red", State.STOPPED: "bright_black"}


def as_json_array(parts: Sequence[PartState]) -> str:
    """An array of objects, with the keys of SHOWN."""
    return json.dumps([part.model_dump(mode="json", include=set(SHOWN)) for part in parts], indent=2)


def as_table(parts: Sequence[PartState]) -> str:
    """One line per part; states are coloured, which click takes out again where nobody would see it."""
    width = max(len(part.name) for part in parts)
    heading = f"{'NAME':<{width}}  {'STATE':<10}  {'PID':>7}  {'PORT':>5}  {'RESTARTS':>8}  URL"
    return "\n".join([click.style(heading, dim=True), *(_line(part, width) for part in parts)])


def _line(part: PartState, width: int) -> str:
    state = click.style(f"{part.state:<10}", fg=COLOURS.get(part.state, "yellow"))
    return f"{part.name:<{width}}  {state}  {part.pid or '-':>7}  {part.port:>5}  {part.restarts:>8}  {part.url}"
