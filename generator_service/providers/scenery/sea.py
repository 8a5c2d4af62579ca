"""The sea, calm or rough."""

from __future__ import annotations

import math

from generator_service.providers.scenery.brushes import (
    Canvas,
    Shape,
    birds,
    disc,
    glow,
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
from generator_service.providers.scenery.water import mirror


def sea(canvas: Canvas) -> None:
    """A sail before the sun, islands, a lighthouse on a cliff, or high waves."""
    chance, take = canvas.chance, canvas.take % 4
    horizon = (0.64, 0.6, 0.62, 0.5)[take]
    x = chance.between(0.25, 0.75) if take != 2 else chance.between(0.15, 0.45)
    radius = chance.between(0.08, 0.13) if take != 3 else 0.18
    y = horizon - chance.between(0.4, 1.9) * radius - (0.1 if canvas.palette.mood in ("day", "night") else 0.0)
    y = max(y, radius + 0.06)
    sky(canvas, (x, y), horizon, clouds=chance.whole(5, 10))
    orb(canvas, x, y, radius)
    _islands(canvas, horizon, 4 if take == 1 else 2)
    mirror(canvas, horizon, x, 1.4)
    if take == 3:
        _waves(canvas, horizon)
    if take == 2:
        _lighthouse(canvas, horizon)
    if take in (0, 1):
        for _ in range(1 if take == 0 else 3):
            size = chance.between(0.2, 0.3) if take == 0 else chance.between(0.04, 0.08)
            place = chance.between(0.2, 0.8)
            _sail(canvas, place, horizon + 0.04 + size * 0.45, size)
    birds(canvas, chance.between(0.2, 0.8), chance.between(0.14, 0.34))


def _islands(canvas: Canvas, horizon: float, count: int) -> None:
    """Far islands on the horizon, the nearer the darker."""
    chance, palette = canvas.chance, canvas.palette
    for number in range(count):
        nearness = number / count
        x, wide, tall = chance.between(-0.1, 1.0), chance.between(0.12, 0.3), chance.between(0.04, 0.16)
        line = rough(chance, 5, tall * 0.35)
        top = [
            (x + wide * s / 32, horizon - max(0.0, (tall + height) * math.sin(math.pi * s / 32) ** 0.8))
            for s, height in enumerate(line)
        ]
        colour = blend(palette.haze, palette.depth(nearness * 0.7), 0.75)
        lay(canvas, [[(x, horizon), *top, (x + wide, horizon)]], colour, blend(colour, palette.haze, 0.5))
    mist(canvas, horizon - 0.07, horizon, 0.5)


def _sail(canvas: Canvas, x: float, base: float, size: float) -> None:
    """A sailing boat and its reflection."""
    palette, lean = canvas.palette, canvas.chance.pick((-1, 1))
    wide = size * 0.5 * lean / canvas.aspect * 1.33

    def shape(*points: tuple[float, float], flip: float = 1.0) -> Shape:
        return [(x + dx * wide, base + dy * size * flip) for dx, dy in points]

    hull = ((-0.62, -0.1), (0.72, -0.13), (0.45, 0.02), (-0.45, 0.02))
    main = ((0.02, -1.0), (0.14, -0.72), (0.13, -0.42), (-0.03, -0.17), (-0.6, -0.17), (-0.3, -0.5))
    jib = ((0.08, -0.93), (0.4, -0.52), (0.66, -0.18), (0.12, -0.19), (0.2, -0.5))
    lay(canvas, [shape(*main, flip=-0.5)], palette.near, opacity=0.25)
    lay(canvas, [shape(*hull, flip=-0.9)], palette.near, opacity=0.5)
    lay(canvas, [shape(*main)], palette.light, blend(palette.light, palette.haze, 0.6))
    lay(canvas, [shape(*jib)], blend(palette.light, palette.haze, 0.35), palette.haze)
    lay(canvas, [shape(*hull), shape((0.0, -1.04), (0.025, -1.04), (0.025, -0.1), (0.0, -0.1))], palette.near)


def _lighthouse(canvas: Canvas, horizon: float) -> None:
    """A cliff at the right with a lighthouse, its beam over the water."""
    chance, palette = canvas.chance, canvas.palette
    x, top = chance.between(0.72, 0.82), horizon - chance.between(0.08, 0.14)
    lamp = top - 0.32
    beam = [(x, lamp), (-0.02, lamp - 0.2), (-0.02, lamp + 0.06)]
    lay(canvas, [beam], blend(palette.accent, palette.light, 0.5), opacity=0.2)
    white, grey = blend(palette.light, palette.haze, 0.15), blend(palette.far, palette.near, 0.4)
    lay(canvas, [_wall(x, lamp + 0.03, top + 0.02, 0.014, 0.026)], white, blend(white, palette.far, 0.35))
    for band in (0.25, 0.6):
        ends = lamp + 0.03 + 0.29 * band, lamp + 0.03 + 0.29 * (band + 0.16)
        lay(canvas, [_wall(x, *ends, 0.014 + 0.012 * band, 0.014 + 0.012 * (band + 0.16))], grey)
    lay(canvas, [_wall(x, lamp - 0.02, lamp + 0.03, 0.01, 0.01)], palette.accent)
    lay(canvas, [_wall(x, lamp + 0.03, lamp + 0.042, 0.02, 0.02), _wall(x, lamp - 0.055, lamp - 0.02, 0, 0.014)], grey)
    steps = enumerate(rough(chance, 5, 0.3))
    edge = [(0.5 + out * 0.05 + 0.16 * (s / 32) ** 0.7, 1.02 - (1.02 - top) * s / 32) for s, out in steps]
    turf = [(0.66 + s * 0.03, top + 0.006 * (s % 2)) for s in range(13)]
    lay(canvas, [[*edge, *turf, (1.02, 1.02)]], blend(palette.near, palette.far, 0.22), palette.near)
    glow(canvas.image, x, lamp, 0.12, palette.accent, 70)


def _wall(x: float, top: float, bottom: float, narrow: float, wide: float) -> Shape:
    """A wall that widens downwards."""
    return [(x - narrow, top), (x + narrow, top), (x + wide, bottom), (x - wide, bottom)]


def _waves(canvas: Canvas, horizon: float) -> None:
    """Rows of pointed waves with foam along their crests."""
    chance, palette = canvas.chance, canvas.palette
    rows = 6
    for number in range(rows):
        nearness = (number + 1) / rows
        base, tall = horizon + 0.06 + 0.42 * nearness**1.3, 0.015 + 0.06 * nearness
        swell, count, phase = rolling(chance, 120, 0.8), 7.5 - 4.5 * nearness, chance.unit()
        line = [
            base + swell[s] * tall * 0.7 - tall * (1 - abs(math.sin(math.pi * (s / 120 * count + phase)))) ** 1.6 * 1.5
            for s in range(121)
        ]
        water = blend(blend(palette.far, palette.sky[1], 0.4), palette.near, nearness * 0.8)
        terrain(canvas, line, blend(water, palette.light, 0.22), water, blend(water, palette.near, 0.4))
        foam = 0.004 + 0.006 * nearness
        under = [(x, y + foam * (1 + math.sin(x * 90 + phase * 9) * 0.7)) for x, y in land(line)[1:-1]]
        lay(canvas, [[*land(line)[1:-1], *under[::-1]]], blend(palette.light, water, 0.15), opacity=0.75)
    spray: list[Shape] = [
        disc(canvas, chance.unit(), chance.between(horizon + 0.05, 0.9), chance.between(0.001, 0.0035))
        for _ in range(70)
    ]
    lay(canvas, spray, palette.light, opacity=0.7)
