"""The files of this repository as these tests see them, and the tools that check them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent


def files(root: Path = ROOT) -> Iterator[Path]:
    """Every file that git keeps, or would keep at the next `git add`."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in sorted(filter(None, listing.stdout.split("\0"))):
        if (root / name).is_file():  # one that was deleted is still listed until it is committed
            yield root / name


def text_of(file: Path) -> str:
    """What a file says; nothing when it is not text."""
    content = file.read_bytes()
    return "" if b"\0" in content else content.decode(errors="replace")


def said_by(tool: str, *arguments: str | Path, stdin: str = "") -> str:
    """What is wrong, in the words of a tool in the environment; nothing when it finds no fault."""
    run = subprocess.run([TOOLS / tool, *arguments], input=stdin, capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else (run.stdout + run.stderr) or f"{tool} ended with {run.returncode}"
