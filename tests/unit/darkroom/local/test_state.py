"""What is written down about the parts, and what is made of it."""

import os
from pathlib import Path

import pytest

from darkroom.local.part import LocalError
from darkroom.local.processes import as_it_is, created
from darkroom.local.state import PartState, StackState, State, read_state, write_state


def a_part(pid: int | None = None, state: State = State.READY) -> PartState:
    return PartState(
        name="kafka",
        pid=pid,
        created=created(pid) if pid else None,
        port=9092,
        url="127.0.0.1:9092",
        state=state,
        restarts=2,
        log="kafka.log",
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    state = StackState(supervisor=7, parts=(a_part(os.getpid()),))

    write_state(tmp_path, state)

    assert read_state(tmp_path) == state


def test_no_state_is_no_error(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None


def test_a_state_nobody_understands_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")

    with pytest.raises(LocalError, match=r"cannot be read.*delete it"):
        read_state(tmp_path)


def test_a_part_that_runs_is_as_it_was_written() -> None:
    part = a_part(os.getpid())

    assert as_it_is(part, supervised=True) == part
    assert as_it_is(part, supervised=False) == part


@pytest.mark.parametrize(
    ("written", "supervised", "shown"),
    [
        (State.READY, True, State.RESTARTING),
        (State.STARTING, True, State.RESTARTING),
        (State.STOPPED, True, State.STOPPED),
        (State.READY, False, State.STOPPED),
        (State.RESTARTING, False, State.STOPPED),
        (State.FAILED, False, State.FAILED),
    ],
)
def test_a_part_whose_process_is_gone_is_never_shown_as_running(written: State, supervised: bool, shown: State) -> None:
    stranger = a_part(os.getpid(), written).model_copy(update={"created": 1.0})

    seen = as_it_is(stranger, supervised)

    assert (seen.state, seen.pid) == (shown, None)
