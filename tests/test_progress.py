"""Progress on a terminal, in a notebook and elsewhere, by the reporter that people see."""

from __future__ import annotations

import io
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from inbedder_cli import ConsoleReporter, progress
from inbedder_cli.progress import NamedReporter

CELL = """
from inbedder_cli import ConsoleReporter
with ConsoleReporter().task("encoding [red]", 2, unit="rows") as advance:
    advance(1, 1)
    import time; time.sleep(0.5)
    advance(2, 2)
"""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run_cell(folder, before=""):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(before + CELL)])
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources)
    client.execute()
    return notebook


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_draws_a_bar(tmp_path):
    notebook = run_cell(tmp_path)
    widgets = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    drawn = [output for widget in widgets for output in widget["state"].get("outputs", ())]
    assert any("encoding [red]" in output["data"]["text/plain"] for output in drawn)
    assert not [output for output in notebook.cells[0].outputs if output.output_type == "stream"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_without_widgets_gets_lines(tmp_path):
    without = "progress.PLAIN_SECONDS = 0; progress.find_spec = lambda name: None"
    notebook = run_cell(tmp_path, f"from inbedder_cli import progress; {without}\n")
    text = "".join(output.get("text", "") for output in notebook.cells[0].outputs)
    assert "encoding [red]: 50 %" in text


def test_a_terminal_gets_a_bar_and_no_markup(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with ConsoleReporter().task("encoding [red]", 2, unit="rows") as advance:
        advance(1, 1)
    assert "encoding [red]" in sys.stderr.getvalue()
    assert "50 %" not in sys.stderr.getvalue()


def test_elsewhere_progress_is_a_line_every_few_seconds(monkeypatch, capsys):
    with ConsoleReporter().task("encoding", 2, unit="rows") as advance:
        advance(1, 1)
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
        advance(1, 1)
    assert capsys.readouterr().err.startswith("encoding: 50 %, ")


def test_color_on_a_pipe_draws_no_bar(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with ConsoleReporter().task("encoding", 2) as advance:
        advance(1, 1)
    assert capsys.readouterr().err == ""


def test_a_warning_is_said_once_and_even_when_quiet(capsys):
    reporter = ConsoleReporter(quiet=True)
    for _ in range(2):
        reporter.warn("short\x1b[31m texts")
        reporter.info("reading")
    assert capsys.readouterr().err == "warning: short\\x1b[31m texts\n"


def test_messages_about_a_question_have_its_name_and_warnings_of_all_are_given_once(capsys):
    reporter = ConsoleReporter(timings=True)
    for name in ("mood", "reason", ""):
        named = NamedReporter(reporter, name)
        named.info("answered")
        named.warn("texts are cut")
        with named.task("encoding", 1):
            pass
    assert capsys.readouterr().err.splitlines() == [
        "mood: answered",
        "warning: texts are cut",
        "mood: encoding: 0.0 s",
        "reason: answered",
        "reason: encoding: 0.0 s",
        "answered",
        "encoding: 0.0 s",
    ]


def test_a_step_says_how_long_it_took(capsys):
    with ConsoleReporter(timings=True).task("reading", 1) as advance:
        advance(1, 1)
    assert capsys.readouterr().err == "reading: 0.0 s\n"
