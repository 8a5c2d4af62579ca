"""How records of former versions are read by today's classes. Records themselves are never rewritten."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from schemas.events import Event

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""A pure function: the value of a record of version n, as version n + 1 would have said it. `v` is set for it."""

Upcasters: TypeAlias = Mapping[tuple[str, int], Upcaster]

UPCASTERS: Upcasters = {}
"""By topic and the version that is read. A class whose `v` rises leaves one here for the version before it."""


class NoUpcasterError(Exception):
    """Nobody has said how a record of this version is read."""


def version_of(fact: type[Event]) -> int:
    """The version that a class reads and writes."""
    version: int = fact.model_fields["v"].default
    return version


def raised(value: dict[str, Any], fact: type[Event], upcasters: Upcasters = UPCASTERS) -> dict[str, Any]:
    """`value`, of a version below today's, as today's class of its fact reads it.

    Raises `NoUpcasterError` for a version that none leads on from, and whatever an upcaster trips over.
    """
    for version in range(value["v"], version_of(fact)):
        upcast = upcasters.get((fact.topic, version))
        if upcast is None:
            raise NoUpcasterError(f"no upcaster reads version {version} of {fact.topic}")
        value = upcast(value) | {"v": version + 1}
    return value
