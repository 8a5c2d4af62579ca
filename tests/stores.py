"""Two real S3 servers to test against: a lax one, which the local stack runs, and a strict one, which compose runs."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from darkroom.local.cache import cache_folder, only_one
from darkroom.local.part import Part
from darkroom.local.ports import claim
from darkroom.local.prepare import exchange, plain_environment
from darkroom.local.s3 import s3_part
from darkroom.setup import create_bucket

KEYS = ("darkroom", "a-secret-of-the-tests")
BUCKET, REGION = "media", "us-east-1"
VERSITYGW = "v1.8.0"
"""The version that docker-compose.yml names."""
START_SECONDS = 30.0
BUILD_SECONDS = 280.0


class NoStrictStoreError(Exception):
    """The strict server cannot be had here; says why."""


@asynccontextmanager
async def lax_store(folder: Path) -> AsyncIterator[dict[str, str]]:
    """The settings that lead to an empty bucket of `rclone serve s3`, which ends with the context."""
    async with _serving(s3_part(folder, claim("s3", None), *KEYS, os.environ)) as settings:
        yield settings


@asynccontextmanager
async def strict_store(folder: Path) -> AsyncIterator[dict[str, str]]:
    """The same for versitygw. Raises `NoStrictStoreError` where it can be neither found nor built."""
    program = await asyncio.to_thread(_versitygw)
    async with _serving(_versitygw_part(program, folder, claim("s3", None))) as settings:
        yield settings


@asynccontextmanager
async def _serving(part: Part) -> AsyncIterator[dict[str, str]]:
    server = await asyncio.create_subprocess_exec(
        *part.argv, env=dict(part.env), cwd=part.cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await part.ready():
                assert server.returncode is None, f"{part.name} ended with {server.returncode}"
                await asyncio.sleep(0.05)
        await create_bucket(endpoint_url=part.url, access_key=KEYS[0], secret_key=KEYS[1], bucket=BUCKET, region=REGION)
        yield settings_of(part.url)
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


def settings_of(url: str) -> dict[str, str]:
    """The S3_* settings of a store of ours at `url`."""
    return {
        "S3_ENDPOINT_URL": url, "S3_ACCESS_KEY_ID": KEYS[0], "S3_SECRET_ACCESS_KEY": KEYS[1],
        "S3_BUCKET_NAME": BUCKET, "S3_REGION": REGION,
    }  # fmt: skip


def _versitygw_part(program: Path, folder: Path, port: int) -> Part:
    objects, metadata = folder / "objects", folder / "metadata"
    for place in (objects, metadata):
        place.mkdir()

    async def ready() -> bool:
        return (await exchange(port, b"GET /health HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.")

    return Part(
        name="versitygw", argv=(str(program), "posix", "--sidecar", str(metadata), str(objects)),
        env=plain_environment(
            os.environ, ROOT_ACCESS_KEY_ID=KEYS[0], ROOT_SECRET_ACCESS_KEY=KEYS[1], VGW_PORT=f"127.0.0.1:{port}",
            VGW_REGION=REGION, VGW_HEALTH="/health",
        ),
        port=port, url=f"http://127.0.0.1:{port}", ready=ready, cwd=folder,
    )  # fmt: skip


@cache
def _versitygw() -> Path:
    """The program: from the PATH, or built from its Go module once and kept in the cache."""
    if found := shutil.which("versitygw"):
        return Path(found)
    folder = cache_folder(os.environ) / f"versitygw-{VERSITYGW}"
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder):
        if not (folder / "versitygw").exists():
            _build(folder, os.environ)
    return folder / "versitygw"


def _build(folder: Path, environ: Mapping[str, str]) -> None:
    go = shutil.which("go")
    if go is None:
        raise NoStrictStoreError("neither versitygw nor Go, which builds it, is on the PATH")
    module = f"github.com/versity/versitygw/cmd/versitygw@{VERSITYGW}"
    try:
        subprocess.run(
            [go, "install", module], env={**environ, "GOBIN": str(folder)}, check=True, capture_output=True, text=True,
            timeout=BUILD_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NoStrictStoreError(f"building versitygw takes longer than {BUILD_SECONDS:.0f} s") from None
    except subprocess.CalledProcessError as failed:
        raise NoStrictStoreError(f"versitygw cannot be built: {failed.stderr.strip()[-200:]}") from None
