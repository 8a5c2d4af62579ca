"""Water that mirrors what is above it."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from generator_service.providers.scenery.brushes import Canvas, lay, ramp
from generator_service.providers.scenery.palettes import blend


def mirror(canvas: Canvas, horizon: float, light: float, stretch: float = 1.0) -> None:
    """Fill everything below the horizon with a rippled reflection of what is above it, and the light's path."""
    width, top = canvas.at(1, horizon)
    depth = canvas.image.height - top
    if depth < 4:
        return
    seen = min(top, round(depth * stretch))
    above = canvas.image.crop((0, top - seen, width, top)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    blurred = above.reduce((2, 6)).resize((width // 2, depth), Image.Resampling.BILINEAR)
    deep = blend(canvas.palette.near, canvas.palette.sky[1], 0.3)
    tint = ramp((blend(deep, canvas.palette.haze, 0.5), deep), *blurred.size)
    veil = Image.linear_gradient("L").resize((1, blurred.height)).point([45 + v * 140 // 255 for v in range(256)])
    blurred.paste(tint, mask=veil.resize(blurred.size, Image.Resampling.NEAREST))
    canvas.image.paste(blurred.resize((width, depth), Image.Resampling.NEAREST), (0, top))
    _ripple(canvas, top)
    _glitter(canvas, horizon, light)


def _ripple(canvas: Canvas, top: int) -> None:
    """Shift thin rows of the water sideways, farther and thicker towards the viewer."""
    image, chance = canvas.image, canvas.chance
    phase, speed = chance.between(0, math.tau), chance.between(0.55, 0.9)
    y, row = top, 0
    while y < image.height:
        nearness = (y - top) / (image.height - top)
        thick = 2 + round(nearness * 4)
        shift = round(math.sin(phase + row * speed) * (1 + nearness * 9) + chance.between(-1, 1) * nearness * 5)
        strip = image.crop((0, y, image.width, min(image.height, y + thick)))
        image.paste(strip, (shift, y))
        y, row = y + thick, row + 1


def _glitter(canvas: Canvas, horizon: float, light: float) -> None:
    """The broken path of light on the water, below the sun or moon."""
    chance, draw, palette = canvas.chance, ImageDraw.Draw(canvas.image), canvas.palette
    shapes = []
    for _ in range(130):
        nearness = chance.unit() ** 1.6
        y = horizon + 0.004 + nearness * (0.985 - horizon)
        x = light + (chance.unit() - chance.unit()) * (0.035 + nearness * 0.16)
        long, thick = chance.between(0.004, 0.012 + nearness * 0.03), 0.0008 + nearness * 0.0026
        shapes.append([(x - long, y), (x, y - thick), (x + long, y), (x, y + thick)])
    lay(canvas, shapes, palette.light, blend(palette.light, palette.sky[-1], 0.5), opacity=0.62)
    line = blend(palette.haze, palette.light, 0.4)
    draw.line([canvas.at(0, horizon), canvas.at(1, horizon)], fill=line)
