"""Keeping what people asked for out of messages and logs."""

from collections.abc import Iterator, Mapping
from typing import Any

from generator_service.calls import Call

LONGEST = 300  # characters of a provider's own words
STRETCH = 12  # characters: shorter ones are shared by chance
WITHHELD = "its words are withheld, for they repeat the input"


def discreet(text: str, call: Call) -> str:
    """A provider's own words, cut to a line, or a note in their place when they repeat any of what was asked for.

    The prompt counts whole at any length; any text of the input counts when a stretch of it is repeated.
    """
    words = " ".join(text.split())[:LONGEST]
    folded = words.casefold()
    prompt = " ".join(call.prompt.split()).casefold()
    if len(prompt) > 2 and prompt in folded:
        return WITHHELD
    stretches = {folded[at : at + STRETCH] for at in range(len(folded) - STRETCH + 1)}
    for given in (prompt, *_texts(call.input)):
        told = " ".join(given.split()).casefold()
        if any(stretch in told for stretch in stretches):
            return WITHHELD
    return words


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
