"""Colors of clusters and of ordered values, on light and on dark ground.

Neighbors in the list differ for people with each kind of color blindness, and every color has a contrast of at
least 3 to 1 with its ground (`tests/report/test_palette.py`). More clusters take the same colors
with another shape.
"""

from __future__ import annotations

LIGHT = ("#1f6fb5", "#c8500a", "#12866a", "#a8408c", "#94700a", "#2b93c4", "#4a3aa7", "#8a2f2f")
DARK = ("#6aa9ea", "#f0853f", "#2fbf95", "#dc86c4", "#d8b13a", "#8fd3f4", "#a99bf5", "#e58a8a")
LIGHT_RAMP = ("#8fb0d0", "#1d3f72")  # the ends; between them it is mixed evenly
DARK_RAMP = ("#35608f", "#d6ecff")
LIGHT_GRAY, DARK_GRAY = "#9aa1ab", "#6d7683"
LIGHT_GROUND, DARK_GROUND = "#ffffff", "#171b22"
SHAPES = ("circle", "square", "triangle", "diamond")
