"""Deserts."""

from __future__ import annotations

import math
from collections.abc import Callable

from generator_service.providers.scenery.brushes import (
    Canvas,
    Shape,
    birds,
    disc,
    lay,
    orb,
    rolling,
    sky,
    terrain,
)
from generator_service.providers.scenery.palettes import Colour, blend


def desert(canvas: Canvas) -> None:
    """Dunes with sharp crests, with a caravan, pyramids, table mountains or cacti."""
    chance, palette, take = canvas.chance, canvas.palette, canvas.take % 4
    x, y = chance.between(0.2, 0.8), chance.between(0.2, 0.42)
    sky(canvas, (x, y), 0.72, clouds=chance.whole(1, 4))
    orb(canvas, x, y, chance.between(0.08, 0.16))
    sand, dusk = blend(palette.haze, palette.light, 0.25), blend(palette.far, palette.near, 0.25)
    plain = [0.66 + h * 0.012 for h in rolling(chance, 60, 1.2)]
    terrain(canvas, plain, blend(sand, palette.sky[-1], 0.5), sand)
    if take == 1:
        for place, size in ((0.25, 0.16), (0.72, 0.13), (0.47, 0.24)):
            _pyramid(canvas, place + chance.between(-0.05, 0.05), size * chance.between(0.85, 1.15), x)
    if take == 2:
        for number in range(5):
            _butte(canvas, number * 0.24 + chance.between(-0.06, 0.1), chance.between(0.08, 0.27))
    for nearness, base in ((0.0, 0.69), (0.3, 0.76), (0.6, 0.85), (1.0, 0.97)):
        tint = blend(sand, dusk, nearness * 0.45)
        shade = blend(dusk, palette.near, nearness * 0.45)
        _dune(canvas, base, tint if palette.mood != "night" else blend(tint, palette.far, 0.6), shade)
    if take == 3:
        for _ in range(6):
            size = chance.between(0.1, 0.34)
            _cactus(canvas, chance.between(0.04, 0.96), 0.8 + size * 0.5, size)
    if take == 0:
        _caravan(canvas)
    birds(canvas, 1 - x, 0.25)


def _dune(canvas: Canvas, base: float, sunny: Colour, shade: Colour) -> None:
    """A field of sand whose crest throws one side into shade."""
    chance = canvas.chance
    waves, phase, lean = chance.between(0.7, 1.25), chance.unit(), chance.pick((-1, 1))
    tall = chance.between(0.06, 0.11)

    def crest(at: float) -> float:
        turn = (at * waves + phase) % 1.0 if lean > 0 else 1 - (at * waves + phase) % 1.0
        climb = turn / 0.62 if turn < 0.62 else (1 - turn) / 0.38
        return base - tall * (math.sin((climb - 0.5) * math.pi) * 0.5 + 0.5)

    terrain(canvas, [crest(at / 90) for at in range(91)], sunny, blend(sunny, canvas.palette.far, 0.35))
    for number in range(-1, 3):
        peak = (number + (0.62 if lean > 0 else 0.38) - phase) / waves
        lay(canvas, [_slip(crest, peak, lean, waves, tall)], shade, blend(sunny, shade, 0.25))


def _slip(crest: Callable[[float], float], peak: float, lean: int, waves: float, tall: float) -> Shape:
    """The shaded side of a dune: down its crest, along the foot, and back up a winding edge."""
    top, reach = crest(peak), lean * 0.38 / waves
    slope = [(peak + reach * s / 12, crest(peak + reach * s / 12)) for s in range(13)]
    foot = [
        (peak + lean * ((0.38 - 0.5 * s / 12) / waves - math.sin(s / 12 * math.pi) * 0.05), top + tall * (1 + s / 8))
        for s in range(13)
    ]
    edge = [
        (peak + lean * (math.sin(s / 12 * math.tau) * 0.03 - s / 100 / waves), top + tall * 2.5 * s / 12)
        for s in range(12, -1, -1)
    ]
    return slope + foot + edge


def _pyramid(canvas: Canvas, x: float, size: float, light: float) -> None:
    """A pyramid with one side in the light."""
    palette, base = canvas.palette, 0.7
    half, ridge = size * 0.85, size * (0.2 if light < x else -0.2)
    bright, dark = blend(palette.haze, palette.light, 0.4), blend(palette.far, palette.near, 0.3)
    left, right = (bright, dark) if light < x else (dark, bright)
    lay(canvas, [[(x, base - size), (x - half, base), (x + ridge, base)]], left, blend(left, palette.haze, 0.45))
    lay(canvas, [[(x, base - size), (x + half, base), (x + ridge, base)]], right, blend(right, palette.haze, 0.45))


def _butte(canvas: Canvas, x: float, tall: float) -> None:
    """A table mountain with steep walls on a skirt of rubble."""
    chance, palette, base = canvas.chance, canvas.palette, 0.71
    wide = chance.between(0.03, 0.11)
    top = [(x - wide + wide * 2 * s / 8, base - tall + chance.between(0, 0.012)) for s in range(9)]
    walls: Shape = [
        (x - wide * 2.1, base),
        (x - wide * 1.2, base - tall * 0.42),
        (x - wide * 1.05, base - tall * 0.45),
        *top,
        (x + wide * 1.05, base - tall * 0.45),
        (x + wide * 1.2, base - tall * 0.42),
        (x + wide * 2.1, base),
    ]
    rock = blend(palette.far, palette.near, chance.between(0.1, 0.4))
    lay(canvas, [walls], rock, blend(rock, palette.haze, 0.3), blend(rock, palette.haze, 0.65))


def _cactus(canvas: Canvas, x: float, base: float, size: float) -> None:
    """A saguaro with two or three arms."""
    chance, thick = canvas.chance, size * 0.045
    shapes = [_limb(canvas, x, base, base - size, thick)]
    for side in (-1, 1, -1)[: chance.whole(1, 3)]:
        reach, joint = side * size * chance.between(0.13, 0.2), base - size * chance.between(0.35, 0.6)
        shapes.append(_limb(canvas, x + reach, joint, joint - size * chance.between(0.2, 0.36), thick * 0.75))
        shapes.append([(x, joint - thick), (x + reach, joint - thick), (x + reach, joint + thick), (x, joint + thick)])
        shapes.append(disc(canvas, x + reach, joint, thick))
    lay(canvas, shapes, blend(canvas.palette.near, canvas.palette.far, 0.15), canvas.palette.near)


def _limb(canvas: Canvas, x: float, base: float, top: float, thick: float) -> Shape:
    wide = thick / canvas.aspect
    dome = [(x - math.cos(math.pi * s / 8) * wide, top - math.sin(math.pi * s / 8) * thick) for s in range(9)]
    return [(x - wide, base), *dome, (x + wide, base)]


def _caravan(canvas: Canvas) -> None:
    """Camels in single file, small, along a far crest."""
    chance, size = canvas.chance, 0.03
    start, shapes = chance.between(0.2, 0.5), []
    body = (
        (-1.0, -1.5),
        (-0.7, -1.7),
        (-0.35, -2.3),
        (0.0, -1.8),
        (0.5, -1.6),
        (0.8, -2.1),
        (1.2, -2.2),
        (1.25, -1.95),
        (0.95, -1.85),
        (0.75, -1.2),
        (0.55, -1.1),
        (0.5, 0.0),
        (0.38, 0.0),
        (0.35, -1.0),
        (-0.6, -1.0),
        (-0.7, 0.0),
        (-0.82, 0.0),
        (-0.85, -1.0),
    )
    for number in range(chance.whole(4, 7)):
        x, y = start + number * 0.045, 0.765 + math.sin(number * 0.8 + start * 9) * 0.004
        shapes.append([(x + dx * size * 0.45, y + dy * size * 0.55) for dx, dy in body])
    lay(canvas, shapes, canvas.palette.near)
