"""The named points at which a process can be told to die or to stop: an order is a file, obeyed by who gets there."""

import os
import signal
from enum import StrEnum
from pathlib import Path

ORDERS = "CHAOS_ORDERS"
"""The setting that says where orders are left."""


class Point(StrEnum):
    """A moment between two steps that must not be taken apart without harm."""

    PLANNED = "planned"
    """The request is planned, and not committed."""
    CLAIMED = "claimed"
    """The intent is committed, and nothing is sent."""
    SENDING = "sending"
    """The claim was found good, and the body is about to leave: the window that no check can close."""
    ASKED = "asked"
    """The request has left, and no answer came."""
    ANSWERED = "answered"
    """The answer is here, and not recorded."""
    RECORDED = "recorded"
    """What came of it is committed, and not said."""
    FINISHED = "finished"
    """A look found it finished, and that is not recorded."""
    SAYING = "saying"
    """Facts are on their way to Kafka, and not acknowledged."""
    ACKNOWLEDGED = "acknowledged"
    """Facts are acknowledged, and still in the outbox."""
    FOUND = "found"
    """The list was searched for a lost call, and nothing is recorded."""
    ADOPTED = "adopted"
    """A callback's call is adopted, and not committed."""
    HANDLED = "handled"
    """For the naive handler: all work is done, and the offset not committed."""


class Orders:
    """At most one order at a time, for whichever process comes to its point first."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def give(self, blow: signal.Signals, point: Point) -> None:
        """Let the next process at `point` send itself `blow`."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"{blow.name} {point}")
        fresh.replace(self._path)

    def take_back(self) -> bool:
        """False when somebody has obeyed already."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    @property
    def obeyed(self) -> bool:
        """Whether somebody has taken the order."""
        return not self._path.exists()

    def reach(self, point: Point) -> None:
        """Obey, if there is an order for this point. Of two who come together, one does."""
        try:
            blow, _, ordered = self._path.read_text().partition(" ")
            if ordered != point:
                return
            self._path.unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.Signals[blow])
