"""The command line as an operator uses it beside the running system."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.local.stack import Stack

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it said under --json."""
        return json.loads(self.out)


async def darkroom(stack: Stack, *words: str, **environ: str) -> Answer:
    """Run a command where the generator's database is known, and nothing else."""
    told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    told["GENERATOR_DATABASE_URL"] = stack.environ["GENERATOR_DATABASE_URL"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "darkroom", *words, env=told | environ, cwd=stack.home,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return Answer(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def paused(stack: Stack, kind: str, name: str) -> AsyncIterator[None]:
    """Nothing is called for it within the block."""
    assert (await darkroom(stack, "pause", kind, name)).code == 0
    try:
        yield
    finally:
        assert (await darkroom(stack, "resume", kind, name)).code == 0
