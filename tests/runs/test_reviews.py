"""Judgments that people write into sheets."""

from __future__ import annotations

import pyarrow as pa
import pytest

from inbedder_cli.runs.reviews import judgments_of_sheet
from inbedder_cli.runs.saved_run import load_run
from inbedder_cli.runs.writer import save_run
from tests.report.feedback import feedback_analysis


@pytest.mark.parametrize("said", [(True, False, None), (1, 0, None), ("y", "n", ""), ("TRUE", "false", " ")])
def test_yes_and_no_are_read_in_any_type(said, tmp_path):
    save_run(tmp_path / "run", feedback_analysis(40, {"": "What is the mood?"}))
    run = load_run(tmp_path / "run")
    rows = [(i, row) for i, row in enumerate(run.rows("")) if row["cluster"] is not None][: len(said)]
    sheet = pa.table(
        {
            "question": [""] * len(rows),
            "cluster": [row["cluster"] for _, row in rows],
            "label": [run.questions[""].names[row["cluster"]] for _, row in rows],
            "row": [i + 1 for i, _ in rows],
            "fits": pa.array(said),
            **{name: [row[name] for _, row in rows] for name in ("id", "answer", "text")},
        }
    )
    assert [judgment.fits for judgment in judgments_of_sheet(run, sheet, "sheet")] == [True, False]
