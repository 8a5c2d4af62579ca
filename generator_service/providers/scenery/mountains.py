"""Mountains."""

from __future__ import annotations

from generator_service.providers.scenery.brushes import (
    Canvas,
    Point,
    Shape,
    birds,
    land,
    lay,
    mist,
    orb,
    rolling,
    rough,
    sky,
    terrain,
)
from generator_service.providers.scenery.palettes import blend
from generator_service.providers.scenery.trees import pines
from generator_service.providers.scenery.water import mirror


def mountain(canvas: Canvas) -> None:
    """Snowy peaks over a lake or behind pines, or ridge after ridge in the haze."""
    chance, take = canvas.chance, canvas.take % 4
    horizon = (0.66, 1.0, 0.74, 0.8)[take]
    x, y = chance.between(0.15, 0.85), chance.between(0.16, 0.3) if take != 1 else chance.between(0.3, 0.42)
    sky(canvas, (x, y), min(1.0, horizon), clouds=chance.whole(3, 7))
    orb(canvas, x, y, 0.15 if take == 1 else chance.between(0.05, 0.08))
    if take == 1:
        _ridges(canvas)
        birds(canvas, 1 - x, 0.3)
        return
    _peaks(canvas, horizon, x)
    if take == 0:
        pines(canvas, [horizon + 0.004] * 3, 0.055, 0.62, 90)
        mirror(canvas, horizon, x, 1.5)
    if take == 2:
        mirror(canvas, horizon, x, 2.0)
        pines(canvas, [0.98, 1.1, 1.12, 1.06, 0.97], 0.42, 0.95, 26)
    if take == 3:
        for nearness, base in ((0.5, 0.8), (0.75, 0.9), (1.0, 1.03)):
            line = [base + height * 0.04 for height in rolling(chance, 40, chance.between(0.5, 1.2))]
            pines(canvas, line, 0.05 + nearness * 0.09, nearness, 80 - round(nearness * 30))
            mist(canvas, base - 0.02, min(1.0, base + 0.1), 0.35 * (1 - nearness))


def _ridges(canvas: Canvas) -> None:
    """Seven ridges, one behind the other, each fading into the haze at its foot."""
    chance, palette, count = canvas.chance, canvas.palette, 7
    line: list[float] = []
    for number in range(count):
        nearness = number / (count - 1)
        base, wild = 0.46 + nearness * 0.42, 0.12 - nearness * 0.03
        line = [base + height for height in rough(chance, 7, wild)]
        colour = blend(blend(palette.far, palette.haze, 0.45), palette.near, nearness**1.2)
        terrain(canvas, line, colour, blend(colour, palette.haze, 0.6 * (1 - nearness)))
    pines(canvas, [height + 0.03 for height in line], 0.1, 1.0, 70)


def _peaks(canvas: Canvas, horizon: float, light: float) -> None:
    """A far ridge, then a range of snowy peaks: one side in the light, the other in shade."""
    chance, palette = canvas.chance, canvas.palette
    pale = blend(palette.far, palette.haze, 0.4)
    lay(canvas, [land([horizon - 0.2 + h for h in rough(chance, 7, 0.1)], horizon)], pale, palette.haze)
    middle = chance.between(0.35, 0.65)
    spread = [
        (middle + offset + chance.between(-0.05, 0.05), size)
        for offset, size in (
            (-0.5, 0.24),
            (0.48, 0.26),
            (-0.27, 0.33),
            (0.26, 0.36),
            (0.0, 0.5),
            (-0.14, 0.2),
            (0.17, 0.2),
        )
    ]
    for x, size in spread:
        _peak(canvas, x, horizon, size * chance.between(0.85, 1.1), light)
    mist(canvas, horizon - 0.16, horizon + 0.01, 0.75)


def _peak(canvas: Canvas, x: float, base: float, tall: float, light: float) -> None:
    """One mountain: rock with a shaded side, and a cap of snow with a ragged edge."""
    chance, palette = canvas.chance, canvas.palette
    wide, top = tall * chance.between(0.62, 0.8), base - tall
    left, right = (_slope(canvas, (x, top), (x + side * wide, base), tall) for side in (-1, 1))
    spine = _slope(canvas, (x, top), (x + chance.between(-0.12, 0.12) * wide, base), tall * 2.2)
    rock = blend(palette.far, palette.near, 0.3)
    bright, dark = blend(rock, palette.light, 0.22), blend(rock, palette.near, 0.5)
    snow, shade = blend(palette.light, palette.haze, 0.12), blend(palette.far, palette.light, 0.42)
    sunny, shady = (left, right) if light < x else (right, left)
    lay(canvas, [sunny + spine[::-1]], bright, blend(bright, palette.haze, 0.5))
    lay(canvas, [shady + spine[::-1]], dark, blend(dark, palette.haze, 0.5))
    share = 0.75 if palette.mood == "winter" else chance.between(0.38, 0.52)
    lay(canvas, [_cap(canvas, sunny, spine, share)], snow)
    lay(canvas, [_cap(canvas, shady, spine, share)], shade)


def _slope(canvas: Canvas, start: Point, end: Point, tall: float) -> list[Point]:
    """A ragged line between two places."""
    line = rough(canvas.chance, 4, tall * 0.045)
    last = len(line) - 1
    return [
        (
            start[0] + (end[0] - start[0]) * at / last + (off if 0 < at < last else 0.0) * 0.8,
            start[1] + (end[1] - start[1]) * at / last + (off if 0 < at < last else 0.0) * 0.25,
        )
        for at, off in enumerate(line)
    ]


def _cap(canvas: Canvas, edge: list[Point], spine: list[Point], share: float) -> Shape:
    """The snow between an edge and the spine: its lower border runs in tongues."""
    reach = max(2, round(len(edge) * share))
    (x, y), (end_x, end_y) = edge[reach - 1], spine[reach - 1]
    deep = (y - edge[0][1]) * 0.42
    border = []
    for step in range(1, 8):
        down = deep * canvas.chance.between(0.2, 0.8) * (1 if step % 2 else -0.75)
        border.append((x + (end_x - x) * step / 8, y + (end_y - y) * step / 8 + down))
    return edge[:reach] + border + spine[:reach][::-1]
