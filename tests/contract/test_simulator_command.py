"""`darkroom simulate`, as a process of its own."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.contract.simulated import FLUX, asking, create

PIPE = asyncio.subprocess.PIPE


@asynccontextmanager
async def simulating(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process and its URL, stopped in the end."""
    command = (sys.executable, "-m", "darkroom", "simulate", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    assert process.stdout
    try:
        first = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        yield process, first.rpartition(" ")[2].strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_replicate_runs_with_faults_from_a_file_and_stops_at_a_signal(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps([{"fault": "gateway_error", "nth": [1]}]))

    async with simulating("replicate", "--faults", str(faults), "--seed", "7") as (process, url), asking(url) as client:
        lost = await client.post("/v1/predictions", json={"version": FLUX, "input": {"prompt": "x"}})
        await create(client)
        bill = (await client.get("/_simulator/bill")).json()
        process.send_signal(signal.SIGTERM)
        said, _ = await asyncio.wait_for(process.communicate(), 10)

    assert (lost.status_code, bill["charged"]) == (502, 2)
    assert (process.returncode, said.decode().splitlines()[-1][:21]) == (0, "2 creates, 2 charged,")


async def test_cog_runs() -> None:
    async with simulating("cog", "--slots", "2", "--run-seconds", "0") as (_, url), httpx.AsyncClient() as client:
        made = (await client.put(f"{url}/predictions/a", json={"input": {}})).json()

    assert made["status"] == "succeeded"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"fault": "gremlins"}]', "faults.json: 0: Input tag 'gremlins'"),
        ('[{"fault": "fail", "chance": 2}]', "0.fail.chance"),
        ("[", "is no JSON"),
    ],
)
async def test_wrong_faults_are_named_and_nothing_starts(tmp_path: Path, text: str, said: str) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(text)
    command = (sys.executable, "-m", "darkroom", "simulate", "replicate", "--faults", str(faults))

    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    _, wrong = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 2
    assert said in " ".join(wrong.decode().split())


async def test_a_taken_port_is_named() -> None:
    async with simulating("cog") as (_, url):
        port = url.rpartition(":")[2]
        command = (sys.executable, "-m", "darkroom", "simulate", "cog", "--port", port)
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
        _, wrong = await asyncio.wait_for(process.communicate(), 20)

    assert (process.returncode, f"cannot listen on 127.0.0.1:{port}" in wrong.decode()) == (2, True)
