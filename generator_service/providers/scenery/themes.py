"""What to paint: the subject, mood and composition that a prompt and its numbers ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeVar

from generator_service.providers.chance import Chance
from generator_service.providers.scenery.palettes import PALETTES, Mood, Palette

Subject = Literal["city", "sea", "mountain", "forest", "desert", "space", "flower", "abstract"]
Meaning = TypeVar("Meaning", bound=str)

SUBJECT_WORDS: dict[Subject, str] = {
    "city": "city cities skyline town street tokyo york london paris shanghai skyscraper building tower urban "
    "metropolis downtown cyberpunk architecture car robot bridge",
    "sea": "sea ocean beach island wave boat ship sail sailing coast lighthouse lake river water fish whale surf "
    "harbor harbour bay",
    "mountain": "mountain alp peak hill valley cliff glacier volcano fuji landscape castle ski dragon",
    "forest": "forest tree wood woods jungle pine cabin deer bear fox wolf owl woodland fog mist",
    "desert": "desert dune sahara sand camel canyon mesa cactus oasis western pyramid mars",
    "space": "space galaxy planet star nebula astronaut cosmos cosmic universe rocket spaceship saturn alien",
    "flower": "flower rose garden blossom tulip sunflower meadow bouquet floral lotus daisy butterfly spring",
    "abstract": "abstract pattern geometric shape bauhaus fractal minimal minimalist logo texture circle",
}
MOOD_WORDS: dict[Mood, str] = {
    "sunset": "sunset dusk evening golden twilight autumn fire warm red orange",
    "dawn": "sunrise dawn morning pastel soft pink spring",
    "day": "day daylight noon sunny summer bright blue midday",
    "night": "night midnight moon moonlight moonlit dark stars starry neon cyberpunk aurora",
    "winter": "snow snowy winter ice icy frozen arctic christmas frost cold polar",
}
HOURS: tuple[Mood, ...] = ("dawn", "day", "sunset", "night")
READ_UP_TO = 4096  # characters of the prompt searched for known words; all of it still counts towards the drawing


@dataclass(frozen=True)
class Theme:
    """One picture's subject and colours, and which of the subject's compositions to use."""

    subject: Subject
    palette: Palette
    take: int


def _meanings(words: dict[Meaning, str]) -> dict[str, Meaning]:
    singular = {word: meaning for meaning, listed in words.items() for word in listed.split()}
    return {word + "s": meaning for word, meaning in singular.items()} | singular


_SUBJECTS = _meanings(SUBJECT_WORDS)
_MOODS = _meanings(MOOD_WORDS)


def theme_of(model: str, prompt: str, seed: int, index: int) -> Theme:
    """The theme for one output. Outputs of one job share the subject; each next index has other colours and another
    composition than the one before it.
    """
    chance = Chance("theme", model, prompt, seed)
    lucky: Subject = chance.pick(tuple(SUBJECT_WORDS))
    words = re.findall(r"[a-z]+", prompt[:READ_UP_TO].lower())
    asked = next((_SUBJECTS[word] for word in words if word in _SUBJECTS), None)
    mood = next((_MOODS[word] for word in words if word in _MOODS), None)
    return Theme(
        subject=asked or lucky,
        palette=_palette(chance, mood, index),
        take=chance.whole(0, 3) + index,
    )


def _palette(chance: Chance, mood: Mood | None, index: int) -> Palette:
    """A palette of the mood; without one, a job's pictures walk from dawn to night."""
    first = chance.whole(0, 999)
    palettes = PALETTES[mood or HOURS[(first + index) % len(HOURS)]]
    return palettes[(first + index) % len(palettes)]
