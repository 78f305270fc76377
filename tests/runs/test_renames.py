from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.errors import InputError
from inbedder_cli.runs.renames import Change, apply_changes, read_changes
from inbedder_cli.runs.writer import save_run
from tests.report.feedback import feedback_analysis

LABELS = {0: "joy", 1: "anger", 2: "fear"}


def test_lines_are_renames_and_merges_and_comments(tmp_path):
    (tmp_path / "names.txt").write_text(
        "\ufeff# mine\n\n0 = pure joy -> really\n reason 2 -> 1 \n", encoding="utf-8"
    )
    assert read_changes(tmp_path, ["mood", "reason"]) == {
        "mood": [Change(0, "pure joy -> really", None, 3)],
        "reason": [Change(2, None, 1, 4)],
    }


def test_without_the_file_nothing_changes(tmp_path):
    assert read_changes(tmp_path, [""]) == {"": []}
    assert apply_changes(LABELS, []) == (LABELS, {})


def test_the_last_name_counts_and_chains_of_merges_end_where_they_lead():
    changes = [Change(1, "rage", None), Change(0, None, 1), Change(1, None, 2), Change(1, "fury", None)]
    assert apply_changes(LABELS, changes) == ({0: "joy", 1: "fury", 2: "fear"}, {0: 2, 1: 2})


@pytest.mark.parametrize("change", [Change(7, "x", None), Change(7, None, 0), Change(0, None, 7)])
def test_a_cluster_that_is_not_there_is_reported(change):
    with pytest.raises(InputError, match="no cluster 7"):
        apply_changes(LABELS, [change])


@given(st.dictionaries(st.integers(0, 5), st.integers(0, 5)))
def test_merges_end_outside_themselves_or_are_refused(merges):
    labels = {i: str(i) for i in range(6)}
    try:
        _, merged = apply_changes(labels, [Change(a, None, b) for a, b in merges.items()])
    except InputError:
        assert any(_comes_back(start, merges) for start in merges)
    else:
        assert merged.keys() == merges.keys()
        assert not set(merged.values()) & set(merges)


def _comes_back(start, merges):
    seen, at = set(), start
    while at in merges and at not in seen:
        seen.add(at)
        at = merges[at]
    return at in merges


@pytest.mark.parametrize("target", ["secret.key", "missing", "/dev/zero"])
def test_what_names_txt_links_to_is_not_copied(tmp_path, target):
    (tmp_path / "secret.key").write_text("SECRET")
    folder = tmp_path / "run"
    save_run(folder, feedback_analysis())
    (folder / "names.txt").symlink_to(target if target.startswith("/") else tmp_path / target)
    save_run(folder, feedback_analysis())
    assert (folder / "names.txt").is_symlink()
    assert not any(path.read_bytes().startswith(b"SECRET") for path in folder.iterdir() if not path.is_symlink())
