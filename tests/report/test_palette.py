"""Every color can be seen on its ground, and neighbors differ, with each kind of color vision."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from inbedder_cli.report import palette

# Machado, Oliveira & Fernandes 2009, severity 1, for linear RGB
VISIONS = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
LAB = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LMS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(color: str):
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    bright = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (bright[1] + 0.05) / (bright[0] + 0.05)


def oklab(color: str, vision):
    return LMS @ np.cbrt(LAB @ np.clip(np.array(vision) @ linear(color), 0, 1))


@pytest.mark.parametrize(
    ("colors", "ground"),
    [
        ((*palette.LIGHT, *palette.LIGHT_RAMP[1:]), palette.LIGHT_GROUND),
        ((*palette.DARK, *palette.DARK_RAMP[1:]), palette.DARK_GROUND),
    ],
)
def test_colors_stand_out_from_the_ground(colors, ground):
    assert min(contrast(color, ground) for color in colors) >= 3


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("colors", [palette.LIGHT, palette.DARK])
def test_colors_differ_with_each_kind_of_vision(colors, vision):
    near = {
        (one, other): float(np.linalg.norm(oklab(one, VISIONS[vision]) - oklab(other, VISIONS[vision])))
        for one, other in combinations(colors, 2)
    }
    assert min(near.values()) >= 0.07, min(near, key=near.get)
    first = {pair: distance for pair, distance in near.items() if set(pair) <= set(colors[:4])}
    assert min(first.values()) >= 0.11, min(first, key=first.get)
