"""Colour scales that survive colour blindness and grey printing: made in OKLCH, with evenly stepped lightness.

Sequential runs away from the panel's own colour (nothing → much); diverging runs blue – neutral – orange, a pair that every
common kind of colour blindness keeps apart, and both of its arms move in lightness too.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.uint8]
STEPS = 256


def oklch(lightness: float, chroma: float, hue_degrees: float) -> tuple[float, float, float]:
    """OKLCH → sRGB in 0..1, clipped to the gamut.

    Source: Björn Ottosson, "A perceptual color space for image processing" (2020), the published matrices.
    """
    a = chroma * math.cos(math.radians(hue_degrees))
    b = chroma * math.sin(math.radians(hue_degrees))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    red, green, blue = (_encode(min(1.0, max(0.0, part))) for part in linear)
    return red, green, blue


def _encode(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def _table(stops: list[tuple[float, float, float, float]]) -> Colours:
    """Interpolate (position, L, C, hue) in OKLCH → uint8 [STEPS, 3], read-only."""
    places, lightness, chroma, hue = (np.array(column) for column in zip(*stops, strict=True))
    at = np.linspace(0.0, 1.0, STEPS)
    rows = zip(np.interp(at, places, lightness), np.interp(at, places, chroma), np.interp(at, places, hue), strict=True)
    found = np.array([[round(255 * part) for part in oklch(*map(float, row))] for row in rows], dtype=np.uint8)
    found.setflags(write=False)
    return found


@cache  # two milliseconds, and every paint asks
def sequential(dark: bool) -> Colours:
    """0 → much, uint8 [256, 3]; lightness is monotone."""
    if dark:
        return _table([(0.0, 0.27, 0.02, 265), (0.35, 0.44, 0.10, 255), (0.7, 0.68, 0.12, 210), (1.0, 0.93, 0.12, 110)])
    return _table([(0.0, 0.97, 0.01, 200), (0.3, 0.83, 0.09, 205), (0.65, 0.58, 0.12, 245), (1.0, 0.30, 0.11, 280)])


@cache
def diverging(dark: bool) -> Colours:
    """−much (blue) → 0 (the panel's colour) → +much (orange), uint8 [256, 3]."""
    middle, end = (0.28, 0.80) if dark else (0.97, 0.45)
    between = (middle + end) / 2
    return _table(
        [
            (0.0, end, 0.15, 255),
            (0.25, between, 0.11, 252),
            (0.4999, middle, 0.004, 250),
            (0.5001, middle, 0.004, 60),
            (0.75, between, 0.10, 60),
            (1.0, end, 0.13, 50),
        ]
    )


def luminance(rgb: tuple[float, float, float]) -> float:
    """WCAG relative luminance of sRGB parts in 0..1."""
    red, green, blue = ((p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4) for p in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """WCAG contrast ratio of two sRGB colours (parts in 0..1): 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
