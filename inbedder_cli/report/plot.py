"""A picture for documents: the map with the names of the clusters, and their shares as bars."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.clustering import NOISE
from inbedder_cli.errors import UsageError
from inbedder_cli.report import palette
from inbedder_cli.report.maps import with_maps
from inbedder_cli.report.view import cluster_views
from inbedder_cli.wording import printable, truncate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from inbedder_cli.results import Analysis, ClusteringResult

SUFFIXES = (".svg", ".png", ".pdf")
MARKERS = dict(zip(palette.SHAPES, ("o", "s", "^", "D"), strict=True))
LABEL_LENGTH = 28  # characters of a name on the map
INK, MUTED = "#1a1f27", "#566070"
WIDTH, HEIGHT, DPI = 10.0, 4.6, 200  # inches of one question, and dots per inch of a PNG
CELLS = 16  # of the grid in which the densest place of a cluster is looked for
FIXED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}  # the same file for the same result


def check_plot(path: Path) -> None:
    """Check, before any work is done, that a picture can be drawn.

    :param path: the file.
    :raises UsageError: for another suffix, or without matplotlib.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path} is no picture that can be drawn", hint=f"name a file {' or '.join(SUFFIXES)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError("--plot needs matplotlib", hint="pip install 'inbedder[plot]'") from error


def write_plot(analysis: Analysis, path: Path) -> bool:
    """Draw the map and the shares of the clusters, one row of panels per question.

    :param analysis: the results; rows are placed on maps where they are not yet.
    :param path: an SVG, PNG or PDF file; an existing one is replaced.
    :return: whether a name has characters that the font lacks, which are drawn as boxes.
    :raises UsageError: for another suffix, or without matplotlib.
    :raises InbedderError: when it cannot be written.
    """
    from inbedder_cli.output.files import atomic_write

    check_plot(path)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    suffix = path.suffix.lower()
    settings: dict[Any, Any] = {"svg.hashsalt": "inbedder", "text.parse_math": False}
    with mpl.rc_context():
        mpl.rcdefaults()  # a matplotlibrc in the current folder may choose anything
        mpl.rcParams.update(settings)
        figure = Figure(figsize=(WIDTH, HEIGHT * len(analysis)), layout="constrained")
        panels = figure.subplots(len(analysis), 2, squeeze=False, width_ratios=[1.5, 1])
        for result, (left, right) in zip(with_maps(analysis), panels, strict=True):
            _draw_map(left, result)
            _draw_shares(right, result)
        with atomic_write(path) as stream, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            figure.savefig(stream, format=suffix[1:], dpi=DPI, metadata=FIXED[suffix])
    return any("missing from font" in str(each.message) for each in caught)


def _style(place: int) -> dict[str, Any]:
    shape = palette.SHAPES[place // len(palette.LIGHT) % len(palette.SHAPES)]
    return {"color": palette.LIGHT[place % len(palette.LIGHT)], "marker": MARKERS[shape]}


def _draw_map(axes: Any, result: ClusteringResult) -> None:  # noqa: ANN401
    import matplotlib.patheffects as effects

    places = result.places if result.places is not None else np.empty((0, 2), np.float32)
    labels = np.array([NOISE if label is None else label for label in result.labels])
    on_map = np.isfinite(places).all(axis=1)
    size = max(1.5, 26 - 5 * np.log10(max(10, int(on_map.sum()))))
    outside = places[on_map & (labels == NOISE)]
    axes.scatter(*outside.T, s=size, color=palette.LIGHT_GRAY, linewidths=0, rasterized=len(labels) > 5000)
    taken: list[tuple[float, float]] = []
    for place, summary in enumerate(result.summaries):
        own = places[on_map & (labels == summary.cluster)]
        if summary.cluster == NOISE or not len(own):
            continue
        axes.scatter(*own.T, s=size, alpha=0.85, linewidths=0, rasterized=len(labels) > 5000, **_style(place))
        x, y = _free(*_densest(own), taken)
        taken.append((x, y))
        name = truncate(printable(summary.label), LABEL_LENGTH)
        halo = [effects.withStroke(linewidth=3, foreground="white")]
        axes.text(x, y, name, ha="center", va="center", weight="bold", color=INK, path_effects=halo, size=9)
    axes.set_title(truncate(printable(result.instruction), 70), loc="left", weight="bold", color=INK)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _densest(points: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Return the middle of the points in the fullest cell of a grid and the cells around it."""
    from scipy.ndimage import uniform_filter

    cells = np.clip(((points + 1) / 2 * CELLS).astype(int), 0, CELLS - 1)
    counts = np.zeros((CELLS, CELLS))
    np.add.at(counts, tuple(cells.T), 1)
    around = uniform_filter(counts, size=3, mode="constant")
    around[counts == 0] = -1  # an empty cell between full ones is no place for a name
    fullest = np.unravel_index(around.argmax(), around.shape)
    x, y = points[(np.abs(cells - fullest) <= 1).all(axis=1)].mean(axis=0).tolist()
    return x, y


def _free(x: float, y: float, taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return a place for a name near (x, y) that no other name covers."""
    for step in (0, 0.09, -0.09, 0.18, -0.18, 0.27, -0.27):
        if all(abs(y + step - other) > 0.08 or abs(x - aside) > 0.35 for aside, other in taken):
            return x, y + step
    return x, y


def _draw_shares(axes: Any, result: ClusteringResult) -> None:  # noqa: ANN401
    views = cluster_views(result)
    shares = [summary.share for summary in result.groups]
    colors = [palette.LIGHT_GRAY if v.is_outside else _style(i)["color"] for i, v in enumerate(views)]
    rows = range(len(views))
    axes.barh(rows, shares, color=colors, height=0.68)
    axes.set_yticks(rows, [truncate(view.label, LABEL_LENGTH) for view in views])
    for row, (view, share) in enumerate(zip(views, shares, strict=True)):
        axes.text(share, row, f" {view.share}", va="center", color=INK)
        mark = ", ".join("weak label" if mark.startswith("weak") else mark.split()[0] for mark in view.marks)
        axes.text(max(shares) * 1.18, row, mark, va="center", color=MUTED, size=8)
    axes.invert_yaxis()
    axes.set_xlim(0, max(shares, default=1) * 1.15)
    axes.xaxis.set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)
