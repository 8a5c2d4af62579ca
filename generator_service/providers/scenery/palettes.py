"""The colours a picture is painted in, by mood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Colour = tuple[int, int, int]
BRIGHTEST = 247  # no colour is lighter, so that film grain can be added without a check for overflow

Mood = Literal["sunset", "dawn", "day", "night", "winter"]


def blend(one: Colour, other: Colour, share: float) -> Colour:
    """The colour on the way from `one` (share 0) to `other` (share 1)."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Palette:
    """Colours that go together: a sky from top to horizon, its light, and the land from far to near."""

    mood: Mood
    sky: tuple[Colour, ...]
    light: Colour
    haze: Colour
    far: Colour
    near: Colour
    accent: Colour

    @property
    def ground(self) -> Colour:
        """What lies underfoot: snow in winter, else the darkest colour."""
        return blend(self.far, self.light, 0.72) if self.mood == "winter" else self.near

    @property
    def is_dark(self) -> bool:
        """True when stars can be seen."""
        return sum(self.sky[0]) < 160

    def depth(self, nearness: float) -> Colour:
        """The colour of land at this nearness, 0 for the horizon and 1 for the viewer."""
        return blend(self.far, self.near, nearness)


def _palette(mood: Mood, colours: str) -> Palette:
    red_green_blue = [[min(level, BRIGHTEST) for level in bytes.fromhex(colour)] for colour in colours.split()]
    top, high, low, horizon, light, haze, far, near, accent = ((c[0], c[1], c[2]) for c in red_green_blue)
    return Palette(mood, (top, high, low, horizon), light, haze, far, near, accent)


# Sky (top, high, low, horizon), then light, haze, far, near, accent.
PALETTES: dict[Mood, tuple[Palette, ...]] = {
    "sunset": (
        _palette("sunset", "2b1b4d 7a2a6b e8505b fdb35f fff1c1 f78f5c a14470 1c1130 ffd27d"),
        _palette("sunset", "1d4e6f 5f8f9b f2b98c ffd9a0 fff6d8 f5b48a 6d7f92 12283a ffe2a1"),
        _palette("sunset", "1a0b3b 56208a d63a9a ff9a76 ffe66d ff6f91 7b2d8e 150a2e 5ff4ff"),
        _palette("sunset", "3a0d1e 8c1c2e e4572e ffc15e fff0b3 e8663d 8f2b34 1d0a12 ffcf70"),
        _palette("sunset", "3c3a78 8f6bb0 f4a6b7 ffe0b5 fff8e1 f3b3b8 8671a8 241f45 ffdf9e"),
    ),
    "dawn": (
        _palette("dawn", "6fa3c8 a9cbe0 fbd9c0 fff0d6 fffbe8 f6d9c6 92abc4 27405c fff0b8"),
        _palette("dawn", "7b8fc9 c3b2dc f9c6cf ffe6d0 fffaf0 f5cfd2 9b97c4 322f5a ffe7a8"),
        _palette("dawn", "4f8a8b 9cc5b0 f3e3b3 fff4d2 fffdf0 e6dfb8 86ada0 1f4445 ffd97a"),
        _palette("dawn", "5b6ea8 b39cc6 f2a98f ffd98e fff6cf f0b59b 8a83b0 2a2747 ffe39a"),
    ),
    "day": (
        _palette("day", "2f7fd1 6db3ec b9e0f7 f1fbff ffffff d6ecf7 8fb7d4 1f4a6b fff6c9"),
        _palette("day", "1e9bb8 6fcbd0 c3eadd fdf6dc fffef2 cfeadf 86bdb6 17505a ffd36b"),
        _palette("day", "4a90c2 9cc9dd e6ead2 fbe9c0 fffbe6 dfe3cb 9db4a8 2f4a3f ffcf6e"),
        _palette("day", "3b6fb5 8aa9dd d7d3ee fdeef0 ffffff d9d7ee 9aa3cf 2c355f ffc9b0"),
    ),
    "night": (
        _palette("night", "060b23 0f1f4b 25457f 5b7fb0 f4f3e4 4a6ea0 2a4478 060c1e ffd98a"),
        _palette("night", "0a0620 24104f 51237d a8498f ffeef8 8a3f8d 43236e 090518 5ef2ff"),
        _palette("night", "03151c 07333b 0f6660 4fb29a eafff4 2f8a80 114e52 02100f ffe08a"),
        _palette("night", "0b0d14 1d2433 3c4a60 8796a8 fdfbf0 66788f 343f53 07090e ffb960"),
    ),
    "winter": (
        _palette("winter", "7d9cc0 b3c9df dfe8f0 f9f3ee ffffff e6edf3 a9bfd4 34506e ffe3a8"),
        _palette("winter", "3a4a7a 7f8fbf d5c3dc fbe3d9 fffaf5 dccfe2 8d9ac2 26305a ffd9a0"),
        _palette("winter", "0d1b3e 22406f 5f8db8 c5dfe8 f4fbff 9fc3d8 5d83ad 0c1c3a ffd98a"),
        _palette("winter", "5e8c98 a3c6c8 dcebe3 fdf8ec fffef8 dce9e4 94b5b6 2a4b55 ffdba1"),
    ),
}
