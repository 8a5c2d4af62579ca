"""What other terminals do with a running home: ask how it is, and end it.

Operators ask it where there may be no local stack at all, such as in the image, which has no psutil: it is imported
late.
"""

import os
import signal
import time
from pathlib import Path

from darkroom.local.home import password, sole_supervisor, supervisor_of
from darkroom.local.part import LocalError
from darkroom.local.ports import HOST
from darkroom.local.services import ACCESS_KEY, DEFAULTS
from darkroom.local.state import PartState, State, read_state

GONE_WITHIN = 15.0  # seconds: a supervisor promises 10


def parts_of(home: Path) -> list[PartState]:
    """Every part of `home` as it really is now; none when it never ran."""
    written = read_state(home)
    if written is None:
        return []
    from darkroom.local.processes import as_it_is

    supervised = supervisor_of(home) is not None
    return [as_it_is(part, supervised) for part in written.parts]


def database_url(home: Path, service: str) -> str | None:
    """How a service of `home` connects to the PostgreSQL that runs there, password included. None when none runs."""
    for part in parts_of(home):
        if part.name == "postgres" and part.state is State.READY:
            return f"postgresql://{service}:{password(home, service)}@{HOST}:{part.port}/darkroom"
    return None


def bucket_environ(home: Path) -> dict[str, str] | None:
    """The settings of the S3 store that runs in `home`, its secret key included. None when none runs."""
    for part in parts_of(home):
        if part.name == "s3" and part.state is State.READY:
            return {
                "S3_ENDPOINT_URL": f"http://{HOST}:{part.port}", "S3_ACCESS_KEY_ID": ACCESS_KEY,
                "S3_SECRET_ACCESS_KEY": password(home, "s3"), "S3_BUCKET_NAME": DEFAULTS["S3_BUCKET_NAME"],
                "S3_REGION": DEFAULTS["S3_REGION"],
            }  # fmt: skip
    return None


def end(home: Path) -> str:
    """End the supervisor of `home` and all its parts, or what a killed one left; say in a line what was done."""
    supervisor = supervisor_of(home)
    if supervisor is not None:
        _end_supervisor(home, supervisor)
        return f"Stopped what ran in {home}."
    written = read_state(home)
    if written is None:
        return f"Nothing runs in {home}."
    from darkroom.local.processes import end_leftovers

    with sole_supervisor(home):
        ended = end_leftovers(written.parts)
    if ended:
        return f"Ended what a killed run had left in {home}: {', '.join(part.name for part in ended)}."
    return f"Nothing runs in {home}."


def _end_supervisor(home: Path, pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + GONE_WITHIN
    while supervisor_of(home) is not None:
        if time.monotonic() > deadline:
            raise LocalError(f"the supervisor (pid {pid}) has not ended within {GONE_WITHIN:.0f} s: `kill -9 {pid}`")
        time.sleep(0.05)
