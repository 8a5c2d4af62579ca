"""The state diagram that a docstring draws."""

import re
from types import ModuleType

ARROW = re.compile(r"^ +([A-Z_]+) ─[^─▶]+─▶ ([A-Z_]+)", re.MULTILINE)


def drawn_in(module: ModuleType) -> set[tuple[str, str]]:
    """The arrows of a module's docstring, from state to state. Every arrowhead in it is one of them."""
    words = module.__doc__ or ""
    arrows = ARROW.findall(words)
    assert len(arrows) == words.count("▶")
    return set(arrows)
