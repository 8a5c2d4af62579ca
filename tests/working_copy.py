"""A copy of the repository to change, and the pages of docs/how-to that say how."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.repository.tree import ROOT, files

STEP = re.compile(
    r"^(?:A new file, `(?P<new>[^`]+)`|In `(?P<file>[^`]+)`, (?P<where>above|below|instead of) `(?P<anchor>[^\n]+)`):$"
    r"\n\n```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
BLOCK = re.compile(r"^```(?P<language>\w+)\n", re.MULTILINE)
SHOWN = ("console", "text")
"""Blocks that show what to run or what comes out; every other one is a step. One of `diff` has a + before each line."""

MIGRATION = re.compile(r"(?P<folder>\w+/migrations/versions)/(?P<number>\d{4})_")


@dataclass(frozen=True, slots=True)
class WorkingCopy:
    """The repository as it lies here, in a folder of its own."""

    root: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, root: Path) -> "WorkingCopy":
        """Copy every file that git keeps, or would keep."""
        for file in files():
            there = root / file.relative_to(ROOT)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, there)
        return cls(root)

    def apply(self, page: str) -> None:
        """Do what a page of docs/how-to says, step by step. Fails when a block is no step or names no single line.

        A migration gets the number after the newest that is there, as the page says.
        """
        text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
        steps = list(STEP.finditer(text))
        blocks = [block for block in BLOCK.finditer(text) if block["language"] not in SHOWN]
        assert len(steps) == len(blocks), f"{page}: of {len(blocks)} blocks of code {len(steps)} say where they go"
        for step in steps:
            code = re.sub(r"^\+", "", step["code"], flags=re.MULTILINE) if step["language"] == "diff" else step["code"]
            if step["new"]:
                self.write(*self._numbered(step["new"], code))
            else:
                self.edit(step["file"], step["where"], step["anchor"], code)

    def _numbered(self, name: str, code: str) -> tuple[str, str]:
        """A file as the page has it; a migration with the numbers that it needs today."""
        found = MIGRATION.match(name)
        there = sorted(path.name[:4] for path in (self.root / found["folder"]).glob("[0-9]*.py")) if found else []
        if not found or not there:
            return name, code
        number, before, now = found["number"], there[-1], f"{int(there[-1]) + 1:04}"
        behind = 'down_revision: str | None = "{}"'
        code = code.replace(behind.format(f"{int(number) - 1:04}"), behind.format(before))
        return name.replace(number, now), code.replace(f'\nrevision: str = "{number}"', f'\nrevision: str = "{now}"')

    def write(self, name: str, content: str) -> None:
        """A new file."""
        path = self.root / name
        assert not path.exists(), f"{name} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def edit(self, name: str, where: str, anchor: str, code: str) -> None:
        """Put `code` above or below the one line that reads `anchor`, or in its place."""
        path = self.root / name
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        found = [number for number, line in enumerate(lines) if line.strip() == anchor]
        assert len(found) == 1, f"{name} has {len(found)} lines that read {anchor}"
        if where == "above" and code.startswith(("class ", "def ", "async def ")):
            code += "\n\n"  # as everywhere between two of them
        first = found[0] + (where == "below")
        lines[first : found[0] + (where != "above")] = [code]
        path.write_text("".join(lines), encoding="utf-8")

    def run(self, *argv: str, within: float = 120) -> subprocess.CompletedProcess[str]:
        """Run Python in the copy, on the copy's own code."""
        return self._run(sys.executable, *argv, within=within)

    def succeeds(self, *argv: str, within: float = 120) -> str:
        """Run Python in the copy; what it said. Fails when it fails."""
        return self.executes(sys.executable, *argv, within=within)

    def executes(self, *argv: str, within: float = 120) -> str:
        """Run any command in the copy; what it said. Fails when it fails."""
        done = self._run(*argv, within=within)
        assert done.returncode == 0, f"{' '.join(argv)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def env(self) -> dict[str, str]:
        """What a process in the copy is told."""
        return {**os.environ, **self.environ, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}

    def _run(self, *argv: str, within: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, cwd=self.root, env=self.env(), capture_output=True, text=True, timeout=within, check=False
        )
