"""What the supervisor writes down about its parts, for `darkroom ps` and for whoever comes after a kill -9."""

import os
import signal
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from darkroom.local.part import LocalError


class State(StrEnum):
    """Where a part is in its life."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"  # it died; its successor is due or not ready yet
    STOPPED = "stopped"
    FAILED = "failed"  # it died before it was ever ready, and is not tried again


class PartState(BaseModel):
    """One part as people see it. `created` tells its process from a later one with the same pid."""

    model_config = ConfigDict(frozen=True)

    name: str
    pid: int | None
    port: int
    url: str
    state: State
    restarts: int
    log: str
    created: float | None = None
    stop_signal: int = signal.SIGTERM


class StackState(BaseModel):
    """Every part of one home, and the supervisor that keeps them."""

    model_config = ConfigDict(frozen=True)

    supervisor: int
    parts: tuple[PartState, ...]


def state_file(home: Path) -> Path:
    """Where the state of the parts of `home` is kept."""
    return home / "state.json"


def write_state(home: Path, state: StackState) -> None:
    """Replace what is written: a reader sees the old state or the new one, whole."""
    fresh = home / "state.json.new"
    fresh.write_text(state.model_dump_json(indent=2))
    os.replace(fresh, state_file(home))


def read_state(home: Path) -> StackState | None:
    """What the last supervisor of `home` wrote. None when there was none; `LocalError` when it cannot be understood."""
    try:
        return StackState.model_validate_json(state_file(home).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise LocalError(f"{state_file(home)} cannot be read: end what it may name by hand, then delete it") from error
