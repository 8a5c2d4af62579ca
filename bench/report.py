"""What a row found, for people and for programs."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from stage.cores import cores


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured several times. What differs less than its spread is the same."""

    name: str
    unit: str
    values: Sequence[float]

    @property
    def spread(self) -> tuple[float, float, float]:
        """Median, lowest and highest."""
        return median(self.values), min(self.values), max(self.values)

    @property
    def key(self) -> str:
        """Its name for programs."""
        return self.name.lower().replace(" / ", "_per_").replace(": ", "_").replace(" ", "_")


@dataclass(frozen=True, slots=True)
class Goal:
    """What the median of a figure has to reach."""

    figure: str
    at_least: float

    def met(self, reached: float) -> bool:
        """Whether it is reached, before any rounding."""
        return reached >= self.at_least


@dataclass(frozen=True, slots=True)
class Report:
    """All that one run of a row found."""

    row: str
    what: str
    """What is measured beside what, in a sentence."""
    setting: Mapping[str, Any]
    """How much of what: what has to be the same for two reports to be compared."""
    figures: Sequence[Figure]
    goal: Goal | None = None
    remarks: Sequence[str] = field(default_factory=tuple)
    also: Sequence[Goal] = field(default_factory=tuple)
    """Further goals, of a row that is about two things."""

    def _reached(self, goal: Goal) -> float:
        """The median that the goal speaks of."""
        (figure,) = (each for each in self.figures if each.name == goal.figure)
        return figure.spread[0]

    def line(self) -> dict[str, Any]:
        """For JSON."""
        said: dict[str, Any] = {"row": self.row, **self.setting, **machine()}
        for figure in self.figures:
            middle, lowest, highest = (_rounded(value) for value in figure.spread)
            said[figure.key] = {"median": middle, "lowest": lowest, "highest": highest, "unit": figure.unit}
        if self.goal is not None:
            said["goal"] = {"figure": self.goal.figure, "at_least": self.goal.at_least}
            said["goal_met"] = self.goal.met(self._reached(self.goal))
        if self.also:
            said["also"] = [
                {"figure": goal.figure, "at_least": goal.at_least, "met": goal.met(self._reached(goal))}
                for goal in self.also
            ]
        return said | ({"remarks": list(self.remarks)} if self.remarks else {})

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.row}: {self.what}"
        yield ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in self._circumstances())
        yield ""
        width = max(len(figure.name) for figure in self.figures) + 2
        yield f"{'':{width}}{'median':>10}{'lowest':>10}{'highest':>10}"
        for figure in self.figures:
            numbers = "".join(f"{_shown(_rounded(value)):>10}" for value in figure.spread)
            yield f"{figure.name:{width}}{numbers}  {figure.unit}"
        yield ""
        for goal in [*([self.goal] if self.goal else []), *self.also]:
            reached = self._reached(goal)
            verdict = "met" if goal.met(reached) else "MISSED"
            wanted = f"{goal.figure} at least {goal.at_least:g}"
            yield f"goal: {wanted}: {verdict}, with {_shown(_rounded(reached))}"
        yield from self.remarks

    def _circumstances(self) -> Iterator[tuple[str, Any]]:
        yield from self.setting.items()
        yield from machine().items()


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"cores": cores(), "python": platform.python_version()}


def _rounded(value: float) -> float:
    """Three digits: the spread makes more of them noise."""
    return float(f"{value:.3g}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
