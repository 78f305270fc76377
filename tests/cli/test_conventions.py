"""What every command takes: verbosity, color, JSON; and what long work has: a dry run, a bound of the cache."""

from __future__ import annotations

import json
import os

import pytest

from inbedder_cli.cli import console

QUESTION = ("-i", "How do they feel?")


@pytest.fixture(autouse=True)
def quiet_afterwards(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "")
    monkeypatch.delenv("FORCE_COLOR")
    yield
    console.set_console()


def commands():
    from typer.main import get_command

    from docs.tools.options import _commands
    from inbedder_cli.cli import app

    for words, command in _commands(get_command(app), ()):
        if not hasattr(command, "commands"):
            yield words, {name for parameter in command.params for name in parameter.opts}


def test_every_command_takes_verbosity_and_color():
    for words, options in commands():
        assert {"--verbose", "-v", "--color"} <= options, words


def test_whatever_has_formats_has_json():
    for words, options in commands():
        assert "--format" not in options or "--json" in options, words


def test_json_is_format_json(inbedder, tiny, reviews):
    plain = ("tune", reviews, *QUESTION, "-m", tiny, "--k-max", "3", "--min-confidence", "0", "-q")
    named, short = inbedder(*plain, "-f", "json"), inbedder(*plain, "--json")
    assert short.exit_code == 0, short.stderr
    assert short.stdout == named.stdout
    assert json.loads(short.stdout)["instruction"] == QUESTION[1]
    refused = inbedder(*plain, "--json", "-f", "csv")
    assert refused.exit_code == 2
    assert "--json and --format csv exclude each other" in refused.stderr


def test_values_come_as_one_json_object(inbedder):
    cache = json.loads(inbedder("cache", "info", "--json").stdout)
    assert cache["state"] == "missing"
    assert cache["rows"] == 0
    assert "torch" in json.loads(inbedder("env", "--json").stdout)


def test_verbose_times_the_steps(inbedder, tiny, reviews):
    plain = ("answer", reviews, *QUESTION, "-m", tiny, "--no-cache")
    assert "encoding: " not in inbedder(*plain).stderr
    assert "encoding: " in inbedder(*plain, "-v").stderr


def test_twice_verbose_shows_tracebacks(inbedder, tmp_path):
    missing = ("cluster", tmp_path / "no.csv", *QUESTION)
    assert "Traceback" not in inbedder(*missing, "-v").stderr
    assert "Traceback" in inbedder(*missing, "-vv").stderr


def test_color_can_be_asked_for_and_refused(inbedder, tmp_path, monkeypatch):
    def shown(*options):
        return inbedder("models", "list", "-f", "table", *options).stdout

    assert "\x1b[" in shown("--color")
    assert os.environ["FORCE_COLOR"] == "1"
    assert "\x1b[3" not in shown("--no-color")  # bold may stay
    assert os.environ["NO_COLOR"] == "1"


@pytest.mark.parametrize("command", ["answer", "tune", "compare"])
def test_a_dry_run_says_what_would_be_done(inbedder, tiny, reviews, command):
    questions = [*QUESTION, *(["-i", "Which mood?"] if command == "compare" else [])]
    done = inbedder(command, reviews, *questions, "-m", tiny, "--dry-run", "-q")
    assert done.exit_code == 0, done.stderr
    assert "estimated time: " in done.stdout
    assert "rows: 6, with text: 5" in done.stdout


def test_texts_are_whole_where_they_may_not_be_cut(inbedder, tiny, tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("text\n" + "".join(f"row {i} {'word ' * 200}end{i}\n" for i in range(6)), encoding="utf-8")
    plain = ("cluster", path, *QUESTION, "-m", tiny, "-k", "2", "--min-confidence", "0", "--no-baseline", "-q")
    cut, whole = (inbedder(*plain, "-f", "table", *option).stdout for option in ([], ["--no-truncate"]))
    assert "…" in cut
    assert "…" not in whole
    assert whole.count("word") > 2 * cut.count("word")


def test_the_cache_stays_below_its_bound(inbedder, tiny, tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("text\n" + "".join(f"The room number {i} was cold.\n" for i in range(300)), encoding="utf-8")
    plain = ("answer", path, *QUESTION, "-m", tiny, "-o", tmp_path / "out.txt", "--force")
    assert "rows removed" not in inbedder(*plain).stderr
    bounded = inbedder(*plain, "--refresh", "--cache-max-size", "100kB")
    assert bounded.exit_code == 0, bounded.stderr
    assert (
        "rows removed, the least recently used first; it may take 0.0001 GB (--cache-max-size)" in bounded.stderr
    )
    info = json.loads(inbedder("cache", "info", "--json").stdout)
    assert 0 < info["rows"] < 300
    refused = inbedder(*plain, "--cache-max-size", "much")
    assert refused.exit_code == 2
    assert 'cannot parse --cache-max-size "much"' in refused.stderr


def test_options_of_a_table_are_those_of_all_commands_and_need_one(inbedder, tmp_path):
    wanted = dict(commands())
    table = {"--id", "--text", "--text-template", "--empty", "--sample", "--seed", "--sheet", "--json-path"}
    assert table <= wanted[("evaluate",)]
    refused = inbedder("evaluate", "some-suite", "--id", "id")
    assert refused.exit_code == 2
    assert "options of a table are for --gold" in refused.stderr
