"""Other worlds."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw, ImageFilter

from generator_service.providers.scenery.brushes import (
    Canvas,
    Point,
    Shape,
    disc,
    glow,
    lay,
    mist,
    ramp,
    rough,
    stars,
    terrain,
)
from generator_service.providers.scenery.palettes import Colour, blend

NIGHT: Colour = (7, 8, 20)


def space(canvas: Canvas) -> None:
    """Stars and nebulae with a ringed giant, a world's bright edge, a galaxy, or a foreign shore."""
    chance, palette, take = canvas.chance, canvas.palette, canvas.take % 4
    _nebula(canvas)
    stars(canvas, 420, 1.0)
    for _ in range(7):
        _sparkle(canvas, chance.unit(), chance.unit(), chance.between(0.012, 0.03))
    if take == 0:
        centre = chance.between(0.38, 0.62), chance.between(0.42, 0.56)
        _ringed(canvas, centre, chance.between(0.2, 0.27))
        _world(canvas, chance.between(0.1, 0.2), chance.between(0.12, 0.3), chance.between(0.03, 0.06))
        _world(canvas, chance.between(0.78, 0.92), chance.between(0.68, 0.88), chance.between(0.04, 0.09))
    elif take == 1:
        _edge(canvas)
        _world(canvas, chance.between(0.2, 0.8), chance.between(0.16, 0.3), chance.between(0.05, 0.09))
    elif take == 2:
        _galaxy(canvas)
    else:
        _world(canvas, chance.between(0.25, 0.75), 0.44, chance.between(0.22, 0.32))
        _world(canvas, chance.between(0.05, 0.95), chance.between(0.14, 0.25), chance.between(0.04, 0.07))
        for nearness, base in ((0.0, 0.7), (0.35, 0.79), (0.7, 0.87), (1.0, 0.96)):
            colour = blend(blend(palette.far, palette.haze, 0.4), palette.near, nearness)
            line = [base + height for height in rough(chance, 7, 0.1 - nearness * 0.05)]
            terrain(canvas, line, colour, blend(colour, palette.haze, 0.5 * (1 - nearness)))
        mist(canvas, 0.6, 0.85, 0.12)


def _nebula(canvas: Canvas) -> None:
    """Deep space with clouds of coloured gas along a band."""
    chance, palette = canvas.chance, canvas.palette
    width, height = canvas.at(0.125, 0.125)  # soft: an eighth of the size is enough
    small = ramp((NIGHT, blend(NIGHT, palette.sky[0], 0.35), NIGHT), width, height)
    slope, middle = chance.between(-0.6, 0.6), chance.between(0.35, 0.65)
    for colour in (palette.far, palette.sky[2], palette.accent, palette.sky[1], palette.haze):
        gas = Image.new("L", small.size)
        draw = ImageDraw.Draw(gas)
        for _ in range(16):
            x = chance.unit()
            y = middle + slope * (x - 0.5) + chance.between(-0.3, 0.3) * chance.unit()
            reach = chance.between(0.02, 0.1) * width
            box = (x * width - reach, y * height - reach * 0.8, x * width + reach, y * height + reach * 0.8)
            draw.ellipse(box, fill=chance.whole(30, 130))
        small.paste(colour, mask=gas.filter(ImageFilter.GaussianBlur(height / 14)))
    half = small.resize((canvas.image.width // 2, canvas.image.height // 2), Image.Resampling.BILINEAR)
    canvas.image.paste(half.resize(canvas.image.size, Image.Resampling.NEAREST))


def _sparkle(canvas: Canvas, x: float, y: float, size: float) -> None:
    """A bright star with four rays."""
    wide, slim = size / canvas.aspect, size * 0.05
    glow(canvas.image, x, y, size * 1.6, canvas.palette.light, 45)
    rays: list[Shape] = [
        [(x - wide, y), (x, y - slim), (x + wide, y), (x, y + slim)],
        [(x, y - size), (x + slim, y), (x, y + size), (x - slim, y)],
    ]
    lay(canvas, rays, canvas.palette.light)


def _world(canvas: Canvas, x: float, y: float, radius: float) -> None:
    """A planet with bands of cloud, lit from the upper left."""
    chance, palette = canvas.chance, canvas.palette
    side = max(8, round(radius * 2 * canvas.image.height))
    base = chance.pick((palette.haze, palette.far, palette.sky[2], palette.sky[3], palette.accent))
    bands = [
        blend(base, chance.pick((palette.light, palette.near, palette.sky[1])), chance.between(0.0, 0.45))
        for _ in range(chance.whole(7, 13))
    ]
    small = ramp(bands, side * 3 // 8, side * 3 // 8).rotate(chance.between(-35, 35), Image.Resampling.BILINEAR)
    edge = small.width / 6
    ball = small.resize((side, side), Image.Resampling.BILINEAR, (edge, edge, small.width - edge, small.width - edge))
    fall = [min(238, max(0, round((level / 255 - 0.28) * 560))) for level in range(256)]
    spot = Image.radial_gradient("L").resize((side * 2, side * 2), Image.Resampling.BILINEAR)
    shade = spot.crop((round(side * 0.78), round(side * 0.8), round(side * 0.78) + side, round(side * 0.8) + side))
    ball.paste(NIGHT, mask=shade.point(fall))
    mask = Image.new("L", (side * 2, side * 2))
    ImageDraw.Draw(mask).ellipse((2, 2, side * 2 - 3, side * 2 - 3), fill=255)
    glow(canvas.image, x - radius * 0.12, y - radius * 0.15, radius * 1.9, base, 40)
    left, top = canvas.at(x, y)
    canvas.image.paste(ball, (left - side // 2, top - side // 2), mask.reduce(2))


def _ringed(canvas: Canvas, centre: Point, radius: float) -> None:
    """A giant with rings: their far half behind it, their near half before it."""
    chance, palette = canvas.chance, canvas.palette
    tilt, flat = chance.between(-0.4, 0.4), chance.between(0.16, 0.3)
    rings = [(1.35, 1.5, 0.55), (1.53, 1.8, 0.8), (1.84, 1.92, 0.5), (1.97, 2.15, 0.3)]
    for start in (math.pi, 0.0):
        for inner, outer, opacity in rings:
            colour = blend(palette.haze, palette.light, opacity)
            arc = _arc(canvas, centre, radius * inner, start, tilt, flat)
            lay(canvas, [arc + _arc(canvas, centre, radius * outer, start, tilt, flat)[::-1]], colour, opacity=opacity)
        if start:
            _world(canvas, centre[0], centre[1], radius)


def _arc(canvas: Canvas, centre: Point, radius: float, start: float, tilt: float, flat: float) -> list[Point]:
    """Half of a tilted ellipse."""
    points = []
    for step in range(61):
        turn = start + math.pi * step / 60
        x, y = math.cos(turn) * radius, math.sin(turn) * radius * flat
        dx, dy = x * math.cos(tilt) - y * math.sin(tilt), x * math.sin(tilt) + y * math.cos(tilt)
        points.append((centre[0] + dx / canvas.aspect, centre[1] + dy))
    return points


def _edge(canvas: Canvas) -> None:
    """The rim of a huge world below, with the sun about to rise over it."""
    chance, palette = canvas.chance, canvas.palette
    x, radius, top = chance.between(0.3, 0.7), 1.7, chance.between(0.6, 0.7)
    sun = x + chance.between(-0.2, 0.2)
    height = top + radius - math.sqrt(radius**2 - ((sun - x) * canvas.aspect) ** 2)
    glow(canvas.image, sun, height, 0.85, palette.accent, 70)
    glow(canvas.image, sun, height, 0.3, palette.light, 100)
    rim = [
        (x + math.sin(turn / 100) * radius / canvas.aspect, top + radius * (1 - math.cos(turn / 100)))
        for turn in range(-60, 61)
    ]
    for lift, colour, opacity in (
        (0.03, palette.far, 0.25),
        (0.017, palette.sky[3], 0.35),
        (0.006, palette.light, 0.8),
    ):
        air = [(px, py - lift * math.exp(-(((px - sun) * 1.7) ** 2))) for px, py in rim]
        lay(canvas, [air + rim[::-1]], colour, opacity=opacity)
    lay(
        canvas,
        [[*rim, (1.4, 1.4), (-0.4, 1.4)]],
        blend(palette.far, NIGHT, 0.3),
        blend(palette.near, NIGHT, 0.5),
        NIGHT,
    )
    towns = [
        disc(canvas, chance.unit(), chance.between(top + 0.1, 1.0), chance.between(0.001, 0.003)) for _ in range(90)
    ]
    lay(canvas, towns, palette.accent, opacity=0.6)


def _galaxy(canvas: Canvas) -> None:
    """A spiral of stars seen at an angle."""
    chance, palette, image = canvas.chance, canvas.palette, canvas.image
    cx, cy, tilt, flat = chance.between(0.4, 0.6), chance.between(0.42, 0.56), chance.between(-0.6, 0.6), 0.5
    draw, arms, twist = ImageDraw.Draw(image), chance.pick((2, 3)), chance.pick((-1, 1)) * chance.between(3.6, 4.8)
    glow(image, cx, cy, 0.55, palette.sky[2], 45)
    glow(image, cx, cy, 0.24, palette.light, 95)
    for number in range(2200):
        far = chance.unit() ** 0.8
        turn = number % arms * math.tau / arms + far * twist + (chance.unit() - chance.unit()) * (0.9 - far * 0.35)
        x, y = math.cos(turn) * far * 0.62, math.sin(turn) * far * 0.62 * flat
        dx, dy = x * math.cos(tilt) - y * math.sin(tilt), x * math.sin(tilt) + y * math.cos(tilt)
        left, top = canvas.at(cx + dx / canvas.aspect, cy + dy)
        shine = chance.unit()
        colour = blend(blend(palette.light, palette.accent if number % 3 else palette.sky[3], far), NIGHT, shine * 0.4)
        size = 1 if shine > 0.3 else 2
        draw.rectangle((left, top, left + size - 1, top + size - 1), fill=colour)
