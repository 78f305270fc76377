from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from inbedder_cli.cli import EXIT_CODES, app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND_LINE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
MAX_WORDS = 1800


def commands() -> list[str]:
    return [(c.name or c.callback.__name__) for c in app.registered_commands] + [
        g.name for g in app.registered_groups
    ]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme_and_has_an_example_in_its_help(inbedder, command):
    assert f"inbedder {command}" in README
    shown = inbedder(command, "--help")
    assert shown.exit_code == 0
    assert command in ("cache", "models", "config") or f"inbedder {command}" in shown.stdout


def test_every_exit_code_is_in_the_reference():
    for code in re.findall(r"128 \+ N|\d+", EXIT_CODES):
        assert f"| {code} |" in COMMAND_LINE


def test_every_option_that_the_readme_names_exists(inbedder):
    known = {"--version", "--debug", "--install-completion"}
    for command in [*commands(), "models pull", "cache prune"]:
        known |= set(re.findall(r"--[a-z][a-z-]+", inbedder(*command.split(), "--help").stdout))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named <= known


def test_the_readme_is_short():
    assert len(README.split()) < MAX_WORDS


@pytest.mark.slow
def test_the_readmes_python_runs(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    exec(compile(code, "README.md", "exec"), {})
    assert "gratitude" in capsys.readouterr().out
