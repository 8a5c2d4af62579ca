"""The outputs of a job as they come: bars in a terminal, elsewhere a line when something changes."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from darkroom.journey import phase_of, steps_done

STEPS = 3  # taken up, generated, stored


class Watch:
    """Shows a job inside `with`; `show` is given its newest state, as often as one likes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phases: dict[int, str] = {}
        self._tasks: dict[int, TaskID] = {}
        self._progress = Progress(
            TextColumn("  picture {task.fields[index]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[phase]:<11}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "Watch":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, job: Mapping[str, Any]) -> None:
        """Bring what is shown up to date."""
        for output in job["media"]:
            index, phase = output["index"], phase_of(output)
            if self._phases.get(index) == phase:
                continue
            self._phases[index] = phase
            if self._console.is_terminal:
                self._advance(index, phase, steps_done(output))
            else:
                self._console.print(f"  picture {index}: {phase}")

    def _advance(self, index: int, phase: str, done: int) -> None:
        if index not in self._tasks:
            self._tasks[index] = self._progress.add_task("", total=STEPS, index=index, phase=phase)
        self._progress.update(self._tasks[index], completed=done, phase=phase)
