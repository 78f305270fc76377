"""Run docs/notebook.ipynb with the bundled encoder, and write what its cells give.

python -m docs.tools.notebook     # part of make docs-outputs
"""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient

from docs.tools.blocks import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
SECONDS = 1800  # for a cell


def executed() -> nbformat.NotebookNode:
    """Return the notebook with what its cells give now, and nothing that differs from run to run."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT)}},
        record_timing=False,
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":  # without what libraries say of this environment
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    kernel = notebook.metadata["kernelspec"]
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    return notebook


def main() -> None:
    """Write the notebook."""
    nbformat.write(executed(), NOTEBOOK)


if __name__ == "__main__":
    main()
