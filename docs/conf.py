"""Settings of Sphinx. The source folder is the repository itself, so that links work here and on a forge alike."""

from __future__ import annotations

from typing import Any

from inbedder_cli import __version__

project = "inbedder"
copyright = "the inbedder authors"
release = __version__

root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/**",
    "benchmarks/*.md",
    "sample_data/*.md",
    "recipes/**.md",
    "inbedder_cli/models/bundled/*/*.md",
]
exclude_patterns = ["docs/tools", "docs/conf.py"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
myst_heading_anchors = 4
myst_enable_extensions = ["smartquotes"]
highlight_language = "text"
copybutton_exclude = ".linenos, .gp, .go"  # copy commands without prompt and output

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"inbedder {__version__}"
html_copy_source = False
html_show_sourcelink = False


def setup(app: Any) -> None:  # noqa: ANN401
    """Let autodoc take `:param **name:`, whose stars would begin bold text.

    :param app: of Sphinx.
    """
    app.connect("autodoc-process-docstring", _escape_stars)


def _escape_stars(*event: Any) -> None:  # noqa: ANN401
    lines = event[-1]
    lines[:] = [line.replace(":param **", r":param \*\*") for line in lines]
