"""Pure: which changes of a schema somebody would notice who reads the log.

Two readers count: yesterday's, who read what is written today, and today's, who read what was written yesterday.
A wider bound passes. Readers take the wider schema first, and only then does anybody write beyond the old bound:
the order in which a new version is deployed, too.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.contract.json_schemas import Schema, inlined

WORDS = ("$schema", "$id", "$defs", "title", "description", "examples", "deprecated", "$comment")
"""Keywords that say something to people and nothing about a value."""

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
CHOICES = ("anyOf", "oneOf")


@dataclass(frozen=True, slots=True)
class Break:
    """A change that takes a new version, and where it is."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def breaks(yesterday: Schema, today: Schema, place: str = "value") -> list[Break]:
    """What in `today` would break a reader of `yesterday`, or a reader of today that meets yesterday's records."""
    return list(_compare(inlined(yesterday), inlined(today), place))


def breaks_since(
    released: Mapping[str, Schema], today: Mapping[str, Schema], upcasters: Collection[tuple[str, int]]
) -> list[Break]:
    """What breaks since the release, over all facts. Schemas are named as `name_of` does; a version may only rise,
    and leaves an upcaster behind: records of every version ever released lie in somebody's log.
    """
    versions = dict(map(_topic_and_version, today))
    found: list[Break] = []
    for name, yesterday in released.items():
        topic, version = _topic_and_version(name)
        if name in today:
            found += breaks(yesterday, today[name], name)
        elif topic not in versions:
            found.append(Break(name, "no class reads its records any more"))
        elif versions[topic] < version:
            found.append(Break(name, f"the version went back to {versions[topic]}"))
        elif (topic, version) not in upcasters:
            found.append(Break(name, f"no upcaster leads on from version {version}"))
    return found


def _topic_and_version(name: str) -> tuple[str, int]:
    topic, _, version = name.rpartition(".v")
    return topic, int(version)


def _compare(yesterday: Schema, today: Schema, place: str) -> Iterator[Break]:
    if any(choice in schema for schema in (yesterday, today) for choice in CHOICES):
        yield from _alternatives(yesterday, today, place)
        return
    if yesterday.get("type") != today.get("type"):
        yield Break(place, f"was {_kind(yesterday)}, is {_kind(today)}")
        return
    for look in (_constants, _bounds, _members, _items, _the_rest):
        yield from look(yesterday, today, place)


def _alternatives(yesterday: Schema, today: Schema, place: str) -> Iterator[Break]:
    """Each kind of value that may stand here against the same kind of the other day."""
    before, now = _by_kind(yesterday), _by_kind(today)
    for kind in before.keys() - now.keys():
        yield Break(place, f"may no longer be {kind}")
    for kind in now.keys() - before.keys():
        yield Break(place, f"may now be {kind}, which no reader expects")
    for kind in before.keys() & now.keys():
        yield from _compare(before[kind], now[kind], place)


def _by_kind(schema: Schema) -> dict[str, Schema]:
    alternatives = next((schema[choice] for choice in CHOICES if choice in schema), [schema])
    return {_kind(each): each for each in alternatives}


def _kind(schema: Schema) -> str:
    """What tells one alternative from another: its type, and for an object the fields that say which one it is."""
    fixed = {name: part["const"] for name, part in schema.get("properties", {}).items() if "const" in part}
    marks = ", ".join(f"{name} {value}" for name, value in sorted(fixed.items()))
    return f"{schema.get('type', 'anything')}{f' of {marks}' if marks else ''}"


def _constants(yesterday: Schema, today: Schema, place: str) -> Iterator[Break]:
    before, now = _values(yesterday), _values(today)
    if before == now:
        return
    if "const" in yesterday and "const" in today:
        yield Break(place, f"was always {before[0]!r}, is always {now[0]!r}")
        return
    if not before or not now:
        yield Break(place, "may be anything now" if before else "may be only certain values now")
        return
    for value in before:
        if value not in now:
            yield Break(place, f"may no longer be {value!r}")
    for value in now:
        if value not in before:
            yield Break(place, f"may now be {value!r}, which no reader expects")


def _values(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else schema.get("enum", [])


def _bounds(yesterday: Schema, today: Schema, place: str) -> Iterator[Break]:
    yield from _tightened(LOWER, lambda before, now: now > before, yesterday, today, place)
    yield from _tightened(UPPER, lambda before, now: now < before, yesterday, today, place)
    if "pattern" in today and yesterday.get("pattern") != today["pattern"]:
        yield Break(place, f"must match {today['pattern']} now")


def _tightened(
    keywords: tuple[str, ...], tighter: Callable[[float, float], bool], yesterday: Schema, today: Schema, place: str
) -> Iterator[Break]:
    for keyword in keywords:
        if keyword in today and (keyword not in yesterday or tighter(yesterday[keyword], today[keyword])):
            yield Break(place, f"{keyword} is {today[keyword]} now, was {yesterday.get(keyword, 'open')}")


def _members(yesterday: Schema, today: Schema, place: str) -> Iterator[Break]:
    before, now = yesterday.get("properties", {}), today.get("properties", {})
    needed_before, needed_now = set(yesterday.get("required", ())), set(today.get("required", ()))
    for name in before:
        if name not in now:
            yield Break(f"{place}.{name}", "was removed")
        elif name in needed_before - needed_now:
            yield Break(f"{place}.{name}", "may be left out now")
        else:
            yield from _compare(before[name], now[name], f"{place}.{name}")
    for name in sorted(needed_now - needed_before):
        yield Break(f"{place}.{name}", "must be there now")
    if (others_before := _others(yesterday)) != (others_now := _others(today)):
        yield from _compare(others_before, others_now, f"{place}.*")


def _others(schema: Schema) -> Schema:
    """What fields may be that are not named."""
    others = schema.get("additionalProperties", True)
    if isinstance(others, dict):
        return others
    return {} if others else {"type": "nothing"}


def _items(yesterday: Schema, today: Schema, place: str) -> Iterator[Break]:
    if "items" in yesterday or "items" in today:
        yield from _compare(yesterday.get("items", {}), today.get("items", {}), f"{place}[]")


COMPARED = {
    *WORDS, *LOWER, *UPPER, *CHOICES, "type", "const", "enum", "pattern", "properties", "required", "items",
    "additionalProperties",
}  # fmt: skip


def _the_rest(yesterday: Schema, today: Schema, place: str) -> Iterator[Break]:
    """Formats, defaults, and whatever else nobody has thought of here: it must not change at all."""
    for keyword in sorted((yesterday.keys() | today.keys()) - COMPARED):
        if yesterday.get(keyword, ...) != today.get(keyword, ...):
            before, now = (repr(schema[keyword]) if keyword in schema else "none" for schema in (yesterday, today))
            yield Break(place, f"{keyword} was {before}, is {now}")
