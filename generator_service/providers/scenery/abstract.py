"""Pictures of nothing but shape and colour."""

from __future__ import annotations

import math

from generator_service.providers.scenery.brushes import Canvas, Shape, disc, lay, rolling, sky
from generator_service.providers.scenery.palettes import Colour, blend


def abstract(canvas: Canvas) -> None:
    """Ribbons, tiles, floating circles, or arches within arches."""
    (_ribbons, _tiles, _circles, _arches)[canvas.take % 4](canvas)


def _inks(canvas: Canvas) -> tuple[Colour, ...]:
    palette = canvas.palette
    return (*palette.sky, palette.light, palette.haze, palette.far, palette.near, palette.accent)


def _ribbons(canvas: Canvas) -> None:
    """Waves of silk, each over the one before."""
    chance, palette, count = canvas.chance, canvas.palette, 9
    sky(canvas, (chance.between(0.2, 0.8), 0.25), 1.0, clouds=0)
    for number in range(count):
        share = number / (count - 1)
        swing = rolling(chance, 90, chance.between(0.35, 0.8))
        line = [0.2 + share * 0.72 + height * (0.13 - share * 0.04) for height in swing]
        upper = blend(palette.sky[min(3, int(share * 4))], palette.light, 0.35 * (1 - share))
        lower = blend(palette.haze, palette.near, share**0.8)
        body: Shape = [(-0.01, 1.02), *((at / 90 * 1.02 - 0.01, y) for at, y in enumerate(line)), (1.01, 1.02)]
        lay(canvas, [body], blend(upper, lower, 0.35), lower, opacity=0.88)
        crest = [(at / 90 * 1.02 - 0.01, y) for at, y in enumerate(line)]
        lay(canvas, [crest + [(x, y + 0.004) for x, y in crest[::-1]]], palette.light, opacity=0.4)


def _tiles(canvas: Canvas) -> None:
    """A grid of quarter circles, half moons, rings and diamonds in few colours."""
    chance, rows = canvas.chance, canvas.chance.whole(4, 6)
    columns, side = round(rows * canvas.aspect), 1 / rows
    inks = _inks(canvas)
    for row in range(rows):
        for column in range(columns + 1):
            paper, ink, third = chance.pick(inks), chance.pick(inks), chance.pick(inks)
            x, y = column * side / canvas.aspect, row * side
            wide = side / canvas.aspect
            lay(canvas, [[(x, y), (x + wide, y), (x + wide, y + side), (x, y + side)]], paper)
            for shape, colour in zip(_tile(canvas, x, y, side), (ink, third, paper), strict=False):
                lay(canvas, [shape], colour)


def _tile(canvas: Canvas, x: float, y: float, side: float) -> list[Shape]:
    """The shapes of one tile, the largest first."""
    chance, wide = canvas.chance, side / canvas.aspect
    cx, cy = x + wide / 2, y + side / 2
    kind = chance.whole(0, 4)
    if kind == 0:  # quarter rings in one corner
        right, low = chance.pick((0, 1)), chance.pick((0, 1))
        return [
            _quarter(x + wide * right, y + side * low, wide * size * (1 - 2 * right), side * size * (1 - 2 * low))
            for size in (1.0, 0.66, 0.33)
        ]
    if kind == 1:
        return [disc(canvas, cx, cy, side * size) for size in (0.42, 0.27, 0.12)]
    if kind == 2:
        return [[(cx, y), (x + wide, cy), (cx, y + side), (x, cy)], disc(canvas, cx, cy, side * 0.2)]
    if kind == 3:
        first = chance.pick((0, 1))
        return [[(x, y + side * first), (x + wide, y), (x + wide, y + side)], disc(canvas, cx, cy, side * 0.16)]
    return [_quarter(x, y, wide, side), _quarter(x + wide, y + side, -wide, -side)]


def _quarter(x: float, y: float, wide: float, high: float) -> Shape:
    """A quarter of a disc around its corner; negative sizes point left and up."""
    turns = [math.pi / 2 * step / 20 for step in range(21)]
    return [(x, y), *((x + math.cos(turn) * wide, y + math.sin(turn) * high) for turn in turns)]


def _circles(canvas: Canvas) -> None:
    """Translucent circles that float over each other."""
    chance, inks = canvas.chance, _inks(canvas)
    sky(canvas, (chance.unit(), chance.unit()), 1.0, clouds=0)
    for number in range(26):
        size = 0.3 * 0.91**number * chance.between(0.7, 1.3)
        x, y, ink = chance.unit(), chance.unit(), chance.pick(inks)
        shape = disc(canvas, x, y, size, chance.pick((0.0, 0.0, 0.0, 1.0)))
        lay(canvas, [shape], ink, blend(ink, chance.pick(inks), 0.6), opacity=chance.between(0.35, 0.85))
        if chance.often(0.4):
            inner = disc(canvas, x, y, size * 1.12)
            lay(canvas, [[*inner, *disc(canvas, x, y, size * 1.1)[::-1]]], canvas.palette.light, opacity=0.55)


def _arches(canvas: Canvas) -> None:
    """Arches within arches, like a long corridor towards the light."""
    chance, palette = canvas.chance, canvas.palette
    x, foot, count = chance.between(0.35, 0.65), 0.8, 11
    lay(canvas, [[(0, 0), (1, 0), (1, 1), (0, 1)]], blend(palette.near, palette.far, 0.3), palette.near)
    for number in range(count):
        share = number / (count - 1)
        size = 0.98 * (1 - share) ** 1.25 + 0.1
        middle, base = 0.5 + (x - 0.5) * share, 1.1 - (1.1 - foot) * share**0.6
        stops = (palette.near, palette.far, palette.sky[1], palette.sky[2], palette.sky[3], palette.light)
        at = share * (len(stops) - 1.001)
        tint = blend(stops[int(at)], stops[int(at) + 1], at % 1)
        wide = size * 0.62 / canvas.aspect
        crown = base - size * 0.62
        turns = [math.pi * s / 40 for s in range(41)]
        arch = [(middle - math.cos(turn) * wide, crown - math.sin(turn) * size * 0.5) for turn in turns]
        lay(canvas, [[(middle - wide, base), *arch, (middle + wide, base)]], tint, blend(tint, palette.near, 0.3))
    lay(canvas, [disc(canvas, x, foot - 0.075, 0.03)], palette.near)
