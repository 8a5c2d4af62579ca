"""Everything from nothing, once: start the stack, ask for four pictures, watch, save them, stop."""

import asyncio
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from darkroom.journey import as_bars, stages
from darkroom.local.home import shown
from darkroom.local.part import LocalError
from darkroom.local.stack import Stack
from darkroom.local.told_to_stop import leave, until_told_to_stop
from darkroom.progress import Watch

ASK = {
    "model": "fake/painter",
    "prompt": "A futuristic city at sunset",
    "num_outputs": 4,
    "seed": 12345,
    "output_format": "jpg",
}
DONE_WITHIN = 120.0  # seconds; far above what four pictures take
LOOK_EVERY = 0.05  # seconds


async def run_demo(home: Path, environ: Mapping[str, str], out: Path) -> None:
    """Run the demo and leave nothing running; a signal ends the program. `LocalError` says what failed."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    told = {**environ, "GATEWAY_AUTH": "open"}  # it listens on loopback, and the demo brings no key
    stack = Stack(home, environ=told, say=console.print)  # the console keeps its lines out of the moving bars

    async def work() -> None:
        _writable(out)
        async with stack, httpx.AsyncClient(timeout=30) as client:
            await _four_pictures(client, stack, out, console)
            console.print("\nStopping everything…")
        console.print(f"Done. Have a look at {out}; `make up` or `darkroom up` keeps everything running.")

    try:
        stopped_by = await until_told_to_stop(work(), lambda: console.print("\nStopping… (again: kill at once)"))
    except httpx.HTTPError as error:
        logs = shown(home / "logs")
        raise LocalError(f"{_asked(error)} failed ({type(error).__name__}): see the logs in {logs}") from error
    if stopped_by:
        console.print("Stopped. Nothing is left running.")
        leave(128 + stopped_by)


async def _four_pictures(client: httpx.AsyncClient, stack: Stack, out: Path, console: Console) -> None:
    api = f"{stack.url('gateway')}/api/v1"
    console.print(f"\nPOST {api}/generate\n" + "\n".join(f"  {key}: {value}" for key, value in ASK.items()) + "\n")
    accepted = _answered(await client.post(f"{api}/generate", json=ASK), 202)
    console.print(f"Accepted as job {accepted['job_id']}\n")

    job = await _end_of(client, f"{api}/status/{accepted['job_id']}", console)
    saved = [await _save(client, output, out) for output in job["media"]]
    (out / "job.json").write_text(json.dumps(job, indent=2, ensure_ascii=False) + "\n")

    console.print("\n" + "\n".join(f"  {path}   {path.stat().st_size / 1000:,.0f} kB" for path in saved))
    console.print(f"  {out / 'job.json'}")
    console.print("\nWhere the time went\n" + "\n".join(as_bars(stages(job))))


async def _end_of(client: httpx.AsyncClient, status: str, console: Console) -> dict[str, Any]:
    """The job once it is done, shown on its way there."""
    try:
        async with asyncio.timeout(DONE_WITHIN):
            with Watch(console) as watch:
                while True:
                    job = _answered(await client.get(status), 200)
                    watch.show(job)
                    if job["done"]:
                        break
                    await asyncio.sleep(LOOK_EVERY)
    except TimeoutError as error:
        raise LocalError(f"the job was not done within {DONE_WITHIN:.0f} s: see the services' logs") from error
    if job["status"] != "COMPLETED":
        raise LocalError(f"the job ended as {job['status']}: {job.get('error_message')}")
    return job


async def _save(client: httpx.AsyncClient, output: dict[str, Any], out: Path) -> Path:
    """Download one stored picture, and check that it is what the job says."""
    answer = await client.get(output["presigned_media_url"])
    if answer.status_code != 200:
        raise LocalError(f"picture {output['index']} cannot be downloaded: S3 answered {answer.status_code}")
    if output.get("sha256") not in (None, sha256(answer.content).hexdigest()):
        raise LocalError(f"picture {output['index']} arrived with other bytes than the job says")
    path = out / f"{output['index']}{Path(output['s3_key']).suffix}"
    path.write_bytes(answer.content)
    return path


def _answered(answer: httpx.Response, expected: int) -> dict[str, Any]:
    if answer.status_code != expected:
        raise LocalError(
            f"{_asked(answer)} was answered with {answer.status_code}: {' '.join(answer.text.split())[:300]}"
        )
    body: dict[str, Any] = answer.json()
    return body


def _asked(what: httpx.Response | httpx.HTTPError) -> str:
    return f"{what.request.method} {what.request.url.path}"


def _writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "job.json").write_text("")
    except OSError as error:
        raise LocalError(f"{out} cannot be written to ({error.strerror}): choose another folder with --out") from error
