"""One life of a part: a process of its own session, writing to its own log."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from darkroom.local import leash, processes
from darkroom.local.part import LocalError, Part

ROTATE_AT = 10 * 2**20  # bytes; one older log is kept beside it


def log_file(home: Path, name: str) -> Path:
    """Where part `name` of `home` writes its stdout and stderr."""
    return home / "logs" / f"{name}.log"


@dataclass(frozen=True)
class Child:
    """A process that was started; `created` tells it from a later one with the same pid."""

    process: asyncio.subprocess.Process
    created: float | None
    log: Path
    log_began: int

    @classmethod
    async def start(cls, part: Part, log: Path) -> Self:
        """Start `part` in a session of its own: Ctrl-C in the terminal is the supervisor's to hear, not the part's."""
        command = (leash.__file__, str(os.getpid()), str(int(part.stop_signal)), part.user or "", *part.argv)
        try:
            rotate(log)
            log_began = output_size(log)
            with log.open("ab") as output:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-I", "-S"),  # bare Python: 15 ms, and nothing of ours can fail in it
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(part.env),
                    cwd=part.cwd,
                    start_new_session=True,
                )
        except OSError as error:
            raise LocalError(f"{part.name} cannot be started: {error}") from error
        return cls(process, processes.created(process.pid), log, log_began)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def ended(self) -> str:
        """Wait for its end, and say how it came: `exit code 3`, `signal SIGKILL`."""
        code = await self.process.wait()
        return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

    async def stop(self, number: signal.Signals, patience: float) -> None:
        """Ask it to stop, and kill it and its group when it has not after `patience` seconds."""
        if self.alive:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
                self.process.send_signal(signal.SIGCONT)  # one that was paused must be able to hear it
        try:
            await asyncio.wait_for(self.process.wait(), patience)
        except TimeoutError:
            self.kill()
            await self.process.wait()

    def kill(self) -> None:
        """SIGKILL to it and its group. Nothing happens when it has ended: its pid may be a stranger's by now."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def last_words(self) -> str:
        """The last line this life wrote to its log, or nothing."""
        with self.log.open("rb") as log:
            log.seek(max(self.log_began, output_size(self.log) - 4096))
            lines = log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip()[:300] if lines else ""


def output_size(log: Path) -> int:
    """Bytes in the log; none when it is not there yet."""
    return log.stat().st_size if log.exists() else 0


def rotate(log: Path) -> None:
    """Put a log that has grown past ROTATE_AT aside, in place of the one put aside before."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if output_size(log) > ROTATE_AT:
        log.replace(log.with_name(f"{log.name}.1"))
