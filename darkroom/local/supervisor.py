"""Starts the parts of a home, keeps them running, writes down how they are, and stops them in time."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from darkroom.local.child import log_file
from darkroom.local.keeper import Keeper
from darkroom.local.part import LocalError, Part
from darkroom.local.state import PartState, StackState, write_state

STOP_WITHIN = 9.0  # seconds for everything: a stop is promised within 10


def share(left: float, layers: int) -> float:
    """How long one layer may take to stop, when `layers` of them share the `left` seconds."""
    return max(left, 0.0) / layers


class Supervisor:
    """The parts of one home, in layers: a layer stands on those before it, and is stopped before them."""

    def __init__(self, home: Path, say: Callable[[str], None]) -> None:
        self._home = home
        self._say = say
        self._layers: dict[int, dict[str, Keeper]] = {}

    async def start(self, part: Part, layer: int) -> None:
        """Take `part` in and return when it is ready; from then on it is started again whenever it dies.

        `LocalError` escapes when it cannot be started; the other parts stay as they are.
        """
        keeper = Keeper(part, log_file(self._home, part.name), self._write_down, self._say)
        self._layers.setdefault(layer, {})[part.name] = keeper
        await keeper.start()

    def keeper(self, name: str) -> Keeper:
        """The keeper of the part of that name. `LocalError` names those there are."""
        keepers = {known: keeper for layer in self._layers.values() for known, keeper in layer.items()}
        if name not in keepers:
            raise LocalError(f"there is no part named {name}: choose one of {', '.join(sorted(keepers))}")
        return keepers[name]

    async def stop(self, within: float = STOP_WITHIN) -> None:
        """Stop every part, the last layer first. What has not stopped by its layer's share of the time is killed.

        To be cancelled meanwhile means: do not wait any longer. Everything is killed, and gone when that escapes.
        """
        stopping = asyncio.create_task(self._stop_layers(within))
        try:
            await asyncio.shield(stopping)
        except asyncio.CancelledError:
            for part in self.parts():
                self.keeper(part.name).kill_now()
            await stopping
            raise

    async def _stop_layers(self, within: float) -> None:
        deadline = monotonic() + within
        for left, layer in zip(range(len(self._layers), 0, -1), sorted(self._layers, reverse=True), strict=True):
            patience = share(deadline - monotonic(), left)
            await asyncio.gather(*(keeper.stop(patience) for keeper in self._layers[layer].values()))

    def parts(self) -> tuple[PartState, ...]:
        """Every part as it is now, in a stable order: those that others stand on first."""
        layers = (layer for _, layer in sorted(self._layers.items()))
        return tuple(keeper.describe() for layer in layers for _, keeper in sorted(layer.items()))

    def _write_down(self) -> None:
        state = StackState(supervisor=os.getpid(), parts=self.parts())
        try:
            write_state(self._home, state)
        except OSError as error:  # a full disk is no reason to stop what runs
            self._say(f"{self._home} cannot be written to ({error.strerror}): `darkroom ps` shows an old state")
