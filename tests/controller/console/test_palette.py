"""Contrast by WCAG 2, and distances as colour-blind people see them (Machado et al. 2009, CIE76)."""

import itertools

import numpy as np
import pytest

from controller.console.theme.palette import palette

THEMES = ("light", "dark")
BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
FILLED = ("map-expected", "map-below", "map-far-below", "map-warm", "map-hot")  # the others have marks of their own


def rgb(colour: str) -> tuple[float, float, float]:
    """`#rrggbb` as three numbers from 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5))
    return red, green, blue


def linear(colour: str) -> np.ndarray:
    value = np.array(rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    lights = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (first, second))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def lab(light: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ light
    ratio = np.clip(xyz / np.array([0.95047, 1.0, 1.08883]), 0, None)
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("text", ["text", "text-2", "text-3", "accent"])
@pytest.mark.parametrize("ground", ["bg", "surface", "raised"])
def test_text_is_readable_on_every_ground(theme: str, text: str, ground: str) -> None:
    tokens = palette(theme)
    assert contrast(tokens[text], tokens[ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("level", ["p1", "p2", "p3"])
def test_alarm_numbers_are_readable_on_their_shape(theme: str, level: str) -> None:
    tokens = palette(theme)
    assert contrast(tokens[f"{level}-ink"], tokens[level]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("text", "p1-soft"),
        ("text-2", "p1-soft"),
        ("text", "p3-soft"),
        ("text", "accent-soft"),
        ("accent-ink", "accent"),
    ],
)
def test_notices_and_buttons_are_readable(theme: str, text: str, ground: str) -> None:
    tokens = palette(theme)
    assert contrast(tokens[text], tokens[ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("sight", BLIND)
def test_filled_map_cells_differ_for_the_colour_blind(theme: str, sight: str) -> None:
    tokens = palette(theme)
    for first, second in itertools.combinations(FILLED, 2):
        seen = [lab(np.clip(np.array(BLIND[sight]) @ linear(tokens[name]), 0, 1)) for name in (first, second)]
        assert np.linalg.norm(seen[0] - seen[1]) >= 14, (first, second)


def test_both_themes_define_the_same_tokens() -> None:
    light, dark = palette("light"), palette("dark")
    assert light.keys() == dark.keys()
    assert all(light[name] != dark[name] for name in light if name not in ("p2-ink", "p3-ink"))
