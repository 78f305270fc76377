"""The Python session of the README, and the example notebook, in a real notebook kernel."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from docs.tools.notebook import executed

SAMPLES = Path(__file__).parent.parent / "sample_data"
SESSION = """
import pandas as pd
from inbedder_cli import InBedder
df = pd.read_csv(r"{samples}/reviews.csv").head({rows})
model = InBedder("What emotion is expressed?", n_clusters={k}, {parameters})
df["group"] = model.fit_predict(df["text"])
---
model.cluster_names_
---
model.clusters_[["label", "size"]]
---
list(model.predict(df["text"].head(3)) == df["group"].head(3))
---
model.transform(df["text"].head(3)).shape
---
model.save("emotions"); InBedder.load("emotions", **{runtime}).predict(["What a lovely day!"]).shape
---
print(repr(model.result_))
---
model.result_
"""


def run_session(folder, **values):
    cells = [cell.strip() for cell in SESSION.format(samples=SAMPLES, **values).split("---")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [cell.outputs for cell in notebook.cells]


def data(output):
    return output[-1]["data"]["text/plain"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_session_runs_and_the_result_is_a_table(tiny, tmp_path):
    parameters = f'model=r"{tiny}", device="cpu", dtype="float32", min_confidence=0.0, baseline=False'
    outputs = run_session(tmp_path, rows=40, k=3, parameters=parameters, runtime={"device": "cpu"})
    assert data(outputs[1]).startswith("{0: ")
    assert data(outputs[3]) == "[True, True, True]"
    assert data(outputs[4]) == "(3, 32)"
    assert data(outputs[5]) == "(1,)"
    assert len(outputs[6][-1]["text"].splitlines()) < 10
    assert "<table" in outputs[7][-1]["data"]["text/html"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_session_runs_with_the_bundled_encoder(tmp_path):
    outputs = run_session(tmp_path, rows=356, k=8, parameters="", runtime={})
    assert data(outputs[3]) == "[True, True, True]"
    assert "gratitude" in outputs[7][-1]["data"]["text/html"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_example_notebook_runs_with_the_bundled_encoder():
    cells = [cell for cell in executed().cells if cell.cell_type == "code"]
    shown = ["".join(output.get("data", {}).get("text/html", "") for output in cell.outputs) for cell in cells]
    assert all(cell.outputs for cell in cells)
    assert not any(output.output_type in ("error", "stream") for cell in cells for output in cell.outputs)
    assert any("gratitude" in html for html in shown)
