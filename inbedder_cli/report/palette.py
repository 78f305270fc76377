"""Colors of clusters and of ordered values, on light and on dark ground.

Neighbors in the list differ for people with each kind of color blindness, and every color has a contrast of at
least 3 to 1 with its ground (`tests/report/test_palette.py`). More clusters take the same colors
with another shape.
"""

from __future__ import annotations

LIGHT = ("#3d45cb", "#f9501b", "#0b8a86", "#d15ed2", "#955011", "#0896fb", "#3a12b3", "#901535")
DARK = ("#3075f6", "#fa8004", "#3dbd96", "#b061a3", "#eac814", "#5bd7fa", "#a18efe", "#ed4d38")
LIGHT_RAMP = ("#8fb0d0", "#1d3f72")  # the ends; between them it is mixed evenly
DARK_RAMP = ("#35608f", "#d6ecff")
LIGHT_GRAY, DARK_GRAY = "#9aa1ab", "#6d7683"
LIGHT_GROUND, DARK_GROUND = "#ffffff", "#171b22"
SHAPES = ("circle", "square", "triangle", "diamond")
