"""`python small_supervisor.py HOME PORT SERVER`: supervises one stubborn part until it is killed."""

import asyncio
import os
import sys
from pathlib import Path

import click

from darkroom.local.home import sole_supervisor
from darkroom.local.part import Part
from darkroom.local.services import healthy
from darkroom.local.supervisor import Supervisor


async def main(home: Path, port: int, server: str) -> None:
    part = Part(
        name="stubborn",
        argv=(sys.executable, server, str(port), "--stubborn"),
        env=dict(os.environ),
        port=port,
        url=f"http://127.0.0.1:{port}",
        ready=lambda: healthy(port),
    )
    with sole_supervisor(home):
        await Supervisor(home, click.echo).start(part, layer=0)
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
