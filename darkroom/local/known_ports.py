"""The ports of a home: given ones, else the same as last time, so that what people have pasted keeps working."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from darkroom.local import ports
from darkroom.local.part import LocalError


def claim_ports(home: Path, names: Iterable[str], wanted: Mapping[str, int]) -> dict[str, int]:
    """A port for each name: the wanted one or `LocalError`, else the one it had before or, when that is taken, any."""
    before = _remembered(home)
    claimed = {name: ports.claim(name, port) for name, port in wanted.items()}
    for name in names:
        if name not in claimed:
            claimed[name] = _some_port(name, before.get(name), set(claimed.values()))
    _remember(home, claimed)
    return claimed


def _some_port(name: str, before: int | None, taken: set[int]) -> int:
    if before is not None and before not in taken:
        with suppress(LocalError):  # someone else has it by now
            return ports.claim(name, before)
    while (port := ports.claim(name)) in taken:
        pass
    return port


def _remembered(home: Path) -> dict[str, int]:
    """The ports the parts of this home had last time; none when that is unknown."""
    try:
        ports = json.loads((home / "ports.json").read_text())
        return {str(name): int(port) for name, port in ports.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _remember(home: Path, ports: Mapping[str, int]) -> None:
    """Keep the ports for next time, beside those of parts that do not run this time."""
    (home / "ports.json").write_text(json.dumps(_remembered(home) | dict(ports), indent=2))
