"""Flowers, near and in meadows."""

from __future__ import annotations

import math

from generator_service.providers.scenery.brushes import (
    Canvas,
    Point,
    Shape,
    birds,
    disc,
    glow,
    land,
    lay,
    mist,
    orb,
    rolling,
    sky,
    terrain,
)
from generator_service.providers.scenery.palettes import Colour, blend

PETALS: tuple[Colour, ...] = (
    (239, 83, 80),
    (245, 124, 96),
    (247, 179, 84),
    (236, 96, 143),
    (186, 104, 200),
    (121, 134, 203),
    (244, 200, 214),
    (247, 240, 226),
)


DEEP: Colour = (84, 16, 62)  # what petals turn to in their own shade


def flower(canvas: Canvas) -> None:
    """One great bloom, a meadow, a branch in blossom, or a few tall stems."""
    chance, take = canvas.chance, canvas.take % 4
    x, y = chance.between(0.2, 0.8), chance.between(0.22, 0.4)
    sky(canvas, (x, y) if take else (0.5, 0.5), 1.0, reach=0.9, clouds=0 if take == 0 else chance.whole(2, 5))
    if take == 0:
        _dahlia(canvas)
    elif take == 1:
        orb(canvas, x, y, 0.1)
        _meadow(canvas)
        birds(canvas, 1 - x, 0.2)
    elif take == 2:
        orb(canvas, 0.5 + chance.between(-0.12, 0.2), 0.45, chance.between(0.24, 0.3))
        _branch(canvas)
    else:
        orb(canvas, x, y, 0.17)
        _hills(canvas, 0.84)
        hue = chance.pick(PETALS)
        for number in range(7):
            place, head = (number + chance.between(0.2, 0.8)) / 7, chance.between(0.3, 0.72)
            _stem(canvas, place, head, chance.between(0.06, 0.11), blend(hue, chance.pick(PETALS), 0.3))
        _grass(canvas, 0.97, 0.16, 150)


def _petal(canvas: Canvas, centre: Point, turn: float, start: float, reach: float, wide: float) -> Shape:
    """A pointed leaf that grows outward from a centre, from `start` to `reach`."""
    points = []
    for step in range(-8, 9):
        along = 1 - abs(step) / 8
        side = math.copysign(math.sin(math.pi * (0.06 + along * 0.94) ** 0.8) * wide, step) if step else 0.0
        out = start + (reach - start) * along
        dx, dy = math.cos(turn) * out - math.sin(turn) * side, math.sin(turn) * out + math.cos(turn) * side
        points.append((centre[0] + dx / canvas.aspect, centre[1] + dy))
    return points


def _bloom(canvas: Canvas, centre: Point, size: float, hue: Colour, rings: int, count: int) -> None:
    """Rings of petals around a heart, the inner ones smaller and lighter."""
    palette, spin = canvas.palette, canvas.chance.between(0, math.tau)
    for ring in range(rings):
        reach = size * (1 - ring / (rings + 0.6))
        twist = spin + ring * math.pi / count
        shade = blend(blend(hue, DEEP, 0.38), blend(hue, palette.light, 0.45), (ring + 0.5) / rings)
        wide = reach * 2.1 / count
        for half in (0, 1):
            petals = [
                _petal(canvas, centre, twist + math.tau * number / count, reach * 0.12, reach, wide)
                for number in range(half, count, 2)
            ]
            tint = blend(shade, DEEP, 0.12 * (1 - half))
            lay(canvas, petals, blend(tint, palette.light, 0.22), tint)
    lay(canvas, [disc(canvas, *centre, size * 0.13)], palette.accent, blend(palette.accent, hue, 0.5))


def _dahlia(canvas: Canvas) -> None:
    """One bloom that fills the picture, with smaller ones behind it."""
    chance, hue = canvas.chance, canvas.chance.pick(PETALS)
    for x, y in ((0.08, 0.84), (0.93, 0.16), (0.9, 0.9), (0.1, 0.14)):
        at = (x + chance.between(-0.05, 0.05), y + chance.between(-0.06, 0.06))
        tint = blend(chance.pick(PETALS), canvas.palette.haze, 0.55)
        _bloom(canvas, at, chance.between(0.12, 0.24), tint, 2, chance.whole(8, 12))
    centre = (0.5 + chance.between(-0.04, 0.04), 0.5 + chance.between(-0.03, 0.03))
    glow(canvas.image, *centre, 0.7, canvas.palette.near, 45)
    _bloom(canvas, centre, chance.between(0.4, 0.45), hue, 6, chance.whole(13, 19))
    seeds = []
    for number in range(60):  # the golden angle, as sunflowers do
        turn, far = number * 2.39996, math.sqrt(number / 60) * 0.055
        x, y = centre[0] + math.cos(turn) * far / canvas.aspect, centre[1] + math.sin(turn) * far
        seeds.append(disc(canvas, x, y, 0.0035))
    lay(canvas, seeds, blend(canvas.palette.near, hue, 0.35))


def _hills(canvas: Canvas, base: float) -> None:
    """Soft hills behind the flowers."""
    for nearness in (0.0, 0.25, 0.5):
        line = [base - 0.16 + nearness * 0.3 + h * 0.05 for h in rolling(canvas.chance, 60, 0.9)]
        colour = blend(canvas.palette.far, canvas.palette.near, nearness * 0.7)
        terrain(canvas, line, colour, blend(colour, canvas.palette.haze, 0.35))
    mist(canvas, base - 0.1, base + 0.1, 0.35)


def _meadow(canvas: Canvas) -> None:
    """Flowers row before row, larger towards the viewer."""
    chance, palette = canvas.chance, canvas.palette
    _hills(canvas, 0.72)
    hues = [chance.pick(PETALS) for _ in range(3)]
    for nearness, base in ((0.3, 0.74), (0.5, 0.8), (0.75, 0.89), (1.0, 1.02)):
        _grass(canvas, base, 0.05 + nearness * 0.08, 170, nearness)
        for hue in hues:
            tint = blend(palette.haze, hue, 0.35 + nearness * 0.6)
            heads = [(chance.unit(), base - chance.between(0.0, 0.05 + nearness * 0.11)) for _ in range(12)]
            size = 0.006 + nearness * 0.017
            petals = [
                disc(
                    canvas,
                    head[0] + math.cos(turn) * size * 0.8 / canvas.aspect,
                    head[1] + math.sin(turn) * size * 0.6,
                    size * 0.55,
                )
                for head in heads
                for turn in (0.3, 1.56, 2.81, 4.07, 5.33)
            ]
            lay(canvas, petals, tint, blend(tint, palette.near, 0.25))
            lay(canvas, [disc(canvas, *head, size * 0.36) for head in heads], palette.accent)


def _grass(canvas: Canvas, base: float, tall: float, count: int, nearness: float = 1.0) -> None:
    """Blades of grass that bend in one wind, with the ground below."""
    chance, wind = canvas.chance, canvas.chance.between(-0.03, 0.03)
    blades: list[Shape] = [land([base - tall * 0.25] * 3)]
    for _ in range(count):
        x, size = chance.between(-0.02, 1.02), tall * chance.between(0.4, 1.0)
        tip = x + wind * size / tall + chance.between(-0.01, 0.01)
        blades.append(
            [
                (x - 0.0022, base),
                (x + (tip - x) * 0.4 - 0.001, base - size * 0.6),
                (tip, base - size),
                (x + (tip - x) * 0.4 + 0.002, base - size * 0.6),
                (x + 0.0022, base),
            ]
        )
    colour = canvas.palette.depth(0.35 + nearness * 0.6)
    lay(canvas, blades, blend(colour, canvas.palette.haze, 0.18), colour)


def _stem(canvas: Canvas, x: float, head: float, size: float, hue: Colour) -> None:
    """A tall flower: stem, two leaves, bloom."""
    chance, colour = canvas.chance, canvas.palette.near
    bend = chance.between(-0.03, 0.03)
    line = [(x + bend * math.sin(s / 10 * math.pi), head + (1.02 - head) * s / 10) for s in range(11)]
    thick = size * 0.035
    shapes: list[Shape] = [line + [(px + thick, py) for px, py in line[::-1]]]
    for at, turn in ((4, -0.6), (6, math.pi + 0.6)):
        shapes.append(_petal(canvas, line[at], turn, 0.0, size * 1.2, size * 0.22))
    lay(canvas, shapes, colour)
    _bloom(canvas, (x, head), size, hue, 2, chance.whole(7, 11))


def _branch(canvas: Canvas) -> None:
    """A dark branch across the light, full of blossom, and falling petals."""
    chance, palette = canvas.chance, canvas.palette
    hue = blend(chance.pick((PETALS[3], PETALS[6], PETALS[7], PETALS[0])), palette.light, 0.25)
    limbs: list[Shape] = []
    buds: list[Point] = []
    side, start = chance.pick((-1, 1)), chance.between(0.55, 0.8)
    origin = (-0.02 if side > 0 else 1.02, start)
    _grow(canvas, origin, (-0.32 if side > 0 else math.pi + 0.32), 0.26, 0.022, limbs, buds)
    lay(canvas, limbs, palette.near)
    for at in buds:
        size = chance.between(0.014, 0.026)
        spin = chance.between(0, math.tau)
        petals = [_petal(canvas, at, spin + math.tau * number / 5, 0.0, size, size * 0.42) for number in range(5)]
        lay(canvas, petals, blend(hue, palette.light, chance.between(0.0, 0.5)), hue)
        lay(canvas, [disc(canvas, *at, size * 0.2)], blend(hue, palette.near, 0.5))
    falling = [
        _petal(canvas, (chance.unit(), chance.unit()), chance.between(0, math.tau), 0.0, 0.02, 0.006) for _ in range(26)
    ]
    lay(canvas, falling, hue, opacity=0.85)


def _grow(
    canvas: Canvas, at: Point, turn: float, long: float, thick: float, limbs: list[Shape], buds: list[Point]
) -> None:
    """Add a limb and the smaller ones that fork from it; blossoms sit on the thin ones."""
    chance = canvas.chance
    end = (at[0] + math.cos(turn) * long / canvas.aspect * 1.3, at[1] + math.sin(turn) * long)
    nx, ny = -math.sin(turn) * thick / 2 / canvas.aspect, math.cos(turn) * thick / 2
    limbs.append(
        [
            (at[0] - nx, at[1] - ny),
            (end[0] - nx * 0.7, end[1] - ny * 0.7),
            (end[0] + nx * 0.7, end[1] + ny * 0.7),
            (at[0] + nx, at[1] + ny),
        ]
    )
    if thick < 0.013:
        buds += [
            (
                at[0] + (end[0] - at[0]) * share + chance.between(-0.01, 0.01),
                at[1] + (end[1] - at[1]) * share + chance.between(-0.014, 0.014),
            )
            for share in (0.45, 0.95)
        ]
    if thick < 0.005:
        return
    _grow(canvas, end, turn + chance.between(-0.28, 0.22), long * 0.8, thick * 0.72, limbs, buds)
    if chance.often(0.85):
        fork = chance.pick((-1, 1)) * chance.between(0.45, 0.85)
        _grow(canvas, end, turn + fork, long * 0.62, thick * 0.55, limbs, buds)
