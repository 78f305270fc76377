"""Every command of README and docs runs, or at least parses; the bundled encoder prints nearly what is shown."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from docs.tools.blocks import PAGES, ROOT, Block, commands_of, read_blocks
from docs.tools.outputs import has_outputs, share_alike, with_outputs
from docs.tools.sandbox import prepare
from tests import gold
from tests.test_docs import named

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 40
ALIKE = 0.9  # share of lines that another machine prints too
LANGUAGES = set("console sh python output text json toml yaml bash {toctree} {eval-rst}".split())
# These run with an encoder without weights; the others need a model, the network, or hours, and are parsed.
LIGHT = set("cluster tune compare embed answer show report assign verify review cache config env".split())
OTHERS = re.compile(
    r"(inbedder --install-completion|pip|pipx|uv|make|cd|python|docker|torchrun|ray|echo|cp|ls|head|sed) "
)
GOLD = f'#!/bin/sh\nexec "{sys.executable}" -m tests.gold "$@"\n'
WITH_OUTPUTS = [page for page in PAGES if has_outputs(page.read_text(encoding="utf-8"))]


def blocks_of(page: Path) -> list[Block]:
    return read_blocks(page.read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that pages name, in which `inbedder` answers with the gold columns."""
    prepare(tmp_path, ROWS)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "inbedder"
    program.write_text(GOLD)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("INBEDDER_MODEL", gold.REFERENCE)
    monkeypatch.setenv("INBEDDER_CONSENSUS", "false")  # it and the selection of k take most of the time
    monkeypatch.setenv("INBEDDER_K_MAX", "4")
    monkeypatch.setattr("webbrowser.open", lambda url: True)
    monkeypatch.chdir(tmp_path)
    gold.register()
    yield tmp_path
    gold.unregister()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_names_its_language(page):
    assert {block.language for block in blocks_of(page)} - LANGUAGES == set()


@pytest.mark.parametrize("page", [page for page in PAGES if any(map(commands_of, blocks_of(page)))], ids=named)
def test_every_command_runs(page, folder, inbedder):
    for block in blocks_of(page):
        for command in commands_of(block):
            if "inbedder " not in command or OTHERS.match(command):
                assert OTHERS.match(command), command
            elif page.name == "options.md":  # examples of --help, each by itself: what they need may not be there
                parse(shlex.split(command.rpartition("inbedder ")[2].partition(" | ")[0]))
            else:
                run(command, inbedder, may_fail="stderr" in block.options)


def test_the_sample_reviews_are_cut_in_two_as_the_other_pages_have_them(tmp_path):
    prepare(tmp_path)
    made = {name: read_rows(tmp_path / name) for name in ("first.csv", "next-week.csv")}
    cut = blocks_of(ROOT / "docs" / "how-to" / "next-week.md")[0]
    for command in commands_of(cut):
        subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    assert len(commands_of(cut)) == 2
    assert made == {name: read_rows(tmp_path / name) for name in made}


def read_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def run(command: str, inbedder, *, may_fail: bool) -> None:
    if needs_shell(command):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        code, messages = done.returncode, done.stderr
    else:
        words = shlex.split(command, comments=True)
        assert words[0] == "inbedder", command
        is_light = words[1] in {*LIGHT, "--help"} or words[1:3] == ["models", "list"]
        if not is_light or "--engine" in words:
            parse(words[1:])
            return
        result = inbedder(*without_model(words[1:]))
        code, messages = result.exit_code, result.stderr
    assert code == 0 or may_fail, f"{command}\n{messages}"
    assert "Traceback" not in messages


def needs_shell(command: str) -> bool:
    """Return whether a command has a pipe, a redirection or a second command, outside quotes."""
    words = shlex.shlex(command, posix=True, punctuation_chars="|<>;&")
    words.whitespace_split = True
    return any(set(word) <= set("|<>;&") for word in words)


def without_model(words: list[str]) -> list[str]:
    """The arguments without -m, whose models are not here."""
    places = [i for i, word in enumerate(words) if word in ("-m", "--model")]
    return [word for i, word in enumerate(words) if i not in places and i - 1 not in places]


def parse(words: list[str]) -> None:
    from typer.main import get_command

    from inbedder_cli.cli import app

    command, context = get_command(app), None
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name, words = words[0], words[1:]
        command = command.commands[name]
    command.make_context(command.name, words, parent=context)


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_OUTPUTS, ids=named)
def test_outputs_are_what_the_bundled_encoder_gives(page):
    text = page.read_text(encoding="utf-8")
    assert share_alike(text, with_outputs(text)) > ALIKE
