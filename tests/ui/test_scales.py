"""Colours keep their promises: readable text, scales that do not depend on hue."""

from dataclasses import asdict

import numpy as np
import pytest

from memstudio.ui.scales import contrast, diverging, luminance, sequential
from memstudio.ui.theme import DARK, LIGHT, Tone

READABLE = (
    ("text", "window"), ("text", "panel"), ("text", "raised"), ("text", "accent_soft"), ("dim", "panel"), ("dim", "window"),
    ("dim", "raised"), ("dim", "accent_soft"), ("accent", "panel"), ("accent", "window"), ("on_accent", "accent"),
    ("danger", "panel"), ("danger", "window"), ("danger", "danger_soft"), ("warning", "warning_soft"), ("warning", "window"),
    ("text", "warning_soft"), ("good", "panel"), ("panel", "warning"),
)  # fmt: skip


def rgb(name: str) -> tuple[float, float, float]:
    red, green, blue = (int(name[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


@pytest.mark.parametrize("tone", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), READABLE)
def test_text_is_readable_on_its_ground(tone: Tone, ink: str, ground: str) -> None:
    colours = asdict(tone)
    assert contrast(rgb(colours[ink]), rgb(colours[ground])) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_a_sequential_scale_moves_one_way_in_lightness_from_the_panel(dark: bool) -> None:
    light = np.array([luminance(tuple(colour / 255)) for colour in sequential(dark)])
    steps = np.diff(light) if dark else -np.diff(light)
    assert (steps > -0.002).all()
    assert abs(light[-1] - light[0]) > 0.6


@pytest.mark.parametrize("dark", [False, True])
def test_a_diverging_scale_is_neutral_at_zero_and_its_arms_differ_beyond_hue_of_red_and_green(dark: bool) -> None:
    colours = diverging(dark).astype(int)
    middle = colours[127:129]
    assert np.ptp(middle, axis=1).max() <= 8
    assert colours[0, 2] - colours[0, 0] > 80
    assert colours[-1, 0] - colours[-1, 2] > 80
    ends = [luminance(tuple(colours[at] / 255)) for at in (0, 255)]
    assert all(abs(end - luminance(tuple(middle[0] / 255))) > 0.3 for end in ends)
