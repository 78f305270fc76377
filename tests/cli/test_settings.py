"""Settings: where the defaults of options come from, and what a file may not set."""

from __future__ import annotations

import csv
import io
import json
import os

import pytest
from typer.main import get_command

from inbedder_cli.cli import app
from inbedder_cli.cli.user_settings import ONCE, options_of

QUESTION = "What is it about?"


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """An empty current folder, and a user's folder of settings."""
    monkeypatch.chdir(tmp_path)
    user = tmp_path / "user"
    user.mkdir()
    monkeypatch.setattr("platformdirs.user_config_dir", lambda *_, **__: str(user))
    return tmp_path, user


def shown(inbedder, *arguments):
    rows = csv.DictReader(io.StringIO(inbedder("config", "show", *arguments).stdout))
    return {(row["command"], row["option"]): (row["value"], row["source"]) for row in rows}


def test_a_variable_beats_the_folder_s_file_which_beats_the_user_s(folders, inbedder, monkeypatch):
    folder, user = folders
    (user / "inbedder.toml").write_text('seed = 1\nk-max = 9\nmodel = "a"\n')
    (folder / "inbedder.toml").write_text("seed = 2\nk_max = 10\n")
    monkeypatch.setenv("INBEDDER_SEED", "3")
    found = shown(inbedder)
    assert found["cluster", "seed"] == ("3", "INBEDDER_SEED")
    assert found["tune", "k-max"] == ("10", "inbedder.toml")
    assert found["embed", "model"] == ("a", str(user / "inbedder.toml"))


def test_the_table_of_a_command_beats_what_holds_for_all_and_the_command_line_beats_both(folders, inbedder, tiny):
    folder, _ = folders
    (folder / "inbedder.toml").write_text("empty = 'fail'\n[answer]\nempty = 'skip'\ntext = ['text']\n")
    (folder / "x.csv").write_text('text\n""\nrow\n')
    command = ("answer", "x.csv", "-m", tiny, "-i", QUESTION, "--format", "csv")
    assert inbedder(*command).exit_code == 0
    assert inbedder(*command, "--empty", "fail").exit_code == 5
    assert shown(inbedder)["embed", "empty"] == ("fail", "inbedder.toml")


@pytest.mark.parametrize("key", ["address", "cache-max-size", "limit", "sample", "prefix", "output"])
def test_a_folder_cannot_lead_elsewhere_or_leave_rows_out(folders, inbedder, key):
    folder, user = folders
    (folder / "inbedder.toml").write_text(f"{key} = '1'\n")
    refused = inbedder("cluster", "x.csv", "-i", QUESTION)
    assert refused.exit_code == 2
    assert f"{key} cannot be a setting" in refused.stderr
    (folder / "inbedder.toml").unlink()
    (user / "inbedder.toml").write_text("cache-max-size = '1GB'\n")
    assert shown(inbedder)["cluster", "cache-max-size"] == ("1GB", str(user / "inbedder.toml"))


def test_a_byte_order_mark_before_the_settings_is_dropped(folders, inbedder):
    folder, _ = folders
    (folder / "inbedder.toml").write_text("seed = 5\n", encoding="utf-8-sig")
    assert shown(inbedder)["embed", "seed"] == ("5", "inbedder.toml")


def test_settings_change_what_a_command_does(folders, inbedder, tiny, monkeypatch):
    folder, _ = folders
    (folder / "x.csv").write_text("text\nthe cat\na dog\n")
    (folder / "inbedder.toml").write_text(
        f'model = "{tiny}"\ncache = false\n[answer]\ninstruction = "{QUESTION}"\nformat = "jsonl"\n'
    )
    explicit = inbedder("answer", "x.csv", "-m", tiny, "-i", QUESTION, "--no-cache", "--format", "jsonl").stdout
    assert inbedder("answer", "x.csv").stdout == explicit != ""
    monkeypatch.setenv("INBEDDER_FORMAT", "csv")
    assert inbedder("answer", "x.csv").stdout.startswith("id,answer,")


@pytest.mark.parametrize("option", sorted(ONCE - {"help", "version"}))
def test_what_belongs_to_one_call_is_no_setting(folders, inbedder, option, monkeypatch):
    folder, _ = folders
    monkeypatch.setenv("INBEDDER_" + option.upper().replace("-", "_"), "x.csv")
    assert shown(inbedder) == {}
    (folder / "inbedder.toml").write_text(f'{option} = "x.csv"\n')
    result = inbedder("config", "show")
    assert result.exit_code == 2
    assert f"inbedder.toml: {option} cannot be a setting" in result.stderr


def test_every_path_belongs_to_one_call_unless_it_is_only_read():
    options = {name: parameter for _, name, parameter in options_of(get_command(app), ())}
    paths = {name for name, parameter in options.items() if parameter.bare_type() == "Path"}
    assert {"output", "save", "report"} <= paths
    assert paths - ONCE == {"wordings", "dev", "eval"}
    assert {"force", "open"} <= ONCE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kmax = 3", 'kmax is no option\n  did you mean "k-max"?'),
        ("[cluster]\nrank = 3", "rank is no option of cluster"),
        ("train = 3", "train is a command"),
        ("[clusters]\nk = 3", "[clusters] is no command"),
        ("clusters = 'x.csv'", "clusters cannot be a setting"),
        ("[models.pull]\nk-max = 3", "k-max is no option of models pull"),
        ("max-tokens = [3]", "max-tokens takes one value"),
        ("max-tokens = 'x'", "max-tokens: Input should be a valid integer"),
        ("k = 'five'", 'inbedder.toml: k: -k takes a number or auto, not "five"'),
        ("k = 1", "inbedder.toml: k: -k must be at least 2, not 1"),
        ("[cluster]\nformat = 'xml'", 'inbedder.toml: format: unknown format "xml"'),
        ("k = 3\nk = 4", "cannot be read as settings: Cannot overwrite a value"),
        ("\0", "cannot be read as settings"),
        ('"\u202e" = 3', "\\u202e is no option"),
        ("a = " + "[" * 10_000, "cannot be read as settings"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(folders, inbedder, content, message):
    folder, _ = folders
    (folder / "inbedder.toml").write_text(content, encoding="utf-8")
    (folder / "x.csv").write_text("text\ngood\nbad\nfine\n")
    result = inbedder("cluster", "x.csv", "-i", QUESTION)
    assert result.exit_code == 2
    assert "inbedder: inbedder.toml" in result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_an_option_that_was_given_is_not_blamed_on_a_setting_of_the_same_value(folders, inbedder):
    folder, _ = folders
    (folder / "inbedder.toml").write_text("exemplars = 1\n")
    (folder / "x.csv").write_text("text\ngood\nbad\nfine\n")
    result = inbedder("cluster", "x.csv", "-i", QUESTION, "-k", "1")
    assert result.exit_code == 2
    assert "inbedder: -k must be at least 2, not 1" in result.stderr


def test_a_variable_that_sets_nothing_is_pointed_out(inbedder, monkeypatch):
    monkeypatch.setenv("INBEDDER_MAXTOKENS", "3")
    monkeypatch.setenv("INBEDDER_OUTPUT", "x.csv")
    told = inbedder("config", "show").stderr.splitlines()
    assert len(told) == 2
    assert told[0].startswith(
        'warning: the variable INBEDDER_MAXTOKENS sets nothing; did you mean "INBEDDER_MAX_TOKENS"?'
    )
    assert told[1].startswith("warning: the variable INBEDDER_OUTPUT sets nothing; --output belongs to one call")


def test_a_file_that_is_no_file_is_refused(folders, inbedder):
    folder, _ = folders
    (folder / "inbedder.toml").symlink_to("/dev/zero")
    result = inbedder("config", "show")
    assert result.exit_code == 2
    assert "is not a regular file" in result.stderr


def test_the_model_for_daily_use_is_neither_base_nor_teacher(folders, inbedder, monkeypatch):
    folder, _ = folders
    (folder / "inbedder.toml").write_text('model = "a"\n[train]\nmodel = "b"\n')
    monkeypatch.setenv("INBEDDER_MODEL", "c")
    found = shown(inbedder)
    assert found["cluster", "model"] == ("c", "INBEDDER_MODEL")
    assert found["train", "model"] == ("b", "inbedder.toml")
    assert ("teach", "model") not in found


def test_all_options_of_a_command_are_shown_with_their_defaults(inbedder):
    found = shown(inbedder, "cluster")
    assert found["cluster", "seed"] == ("0", "default")
    assert {option for _, option in found} == {
        option for words, option, _ in options_of(get_command(app), ()) if words == ("cluster",)
    } - ONCE
    result = inbedder("config", "show", "clutser")
    assert result.exit_code == 2
    assert 'did you mean "cluster"?' in result.stderr


def test_the_paths_are_printed_the_strongest_first(folders, inbedder):
    folder, user = folders
    (user / "inbedder.toml").write_text("")
    assert inbedder("config", "path").stdout.splitlines() == [
        f"{folder / 'inbedder.toml'}\tmissing",
        f"{user / 'inbedder.toml'}\texists",
    ]


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ("k-max = 4\nk-min = 3\nmin-cluster-size = 4\n", ("-k", "2")),
        ("k = 3\nk-max = 4\n", ("-a", "hdbscan", "--min-cluster-size", "3")),
        ("k-max = 4\n", ("-a", "hdbscan", "--min-cluster-size", "3")),
        ("report-rows = 500\ntexts = false\n", ("-k", "2")),  # of a report, where none is asked for
    ],
)
def test_a_setting_that_does_not_apply_is_ignored(folders, inbedder, tiny, settings, options):
    folder, _ = folders
    (folder / "x.csv").write_text("text\n" + "".join(f"row {i} {'cat' if i % 2 else 'dog'}\n" for i in range(12)))
    command = ("cluster", "x.csv", "-m", tiny, "-i", QUESTION, "--min-confidence", "0", "--no-baseline", *options)
    plain = inbedder(*command)
    assert plain.exit_code == 0, plain.stderr
    (folder / "inbedder.toml").write_text(settings)
    assert inbedder(*command).stdout == plain.stdout


def test_a_setting_that_does_not_apply_to_hdbscan_leaves_tune_alone(folders, inbedder, tiny, monkeypatch):
    folder, _ = folders
    (folder / "x.csv").write_text("text\n" + "".join(f"row {i} {'cat' if i % 2 else 'dog'}\n" for i in range(12)))
    monkeypatch.setenv("INBEDDER_K_MAX", "4")
    command = ("tune", "x.csv", "-m", tiny, "-i", QUESTION, "--min-confidence", "0", "-a", "hdbscan")
    tuned = inbedder(*command)
    assert tuned.exit_code == 0, tuned.stderr
    assert inbedder(*command, "--k-max", "5").exit_code == 2


def test_json_on_the_command_line_beats_a_format_of_the_settings(inbedder, monkeypatch):
    monkeypatch.setenv("INBEDDER_FORMAT", "csv")
    done = inbedder("config", "show", "--json")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(("[", "{"))


@pytest.mark.parametrize("words", [("cluster", "--help"), ("tune", "t.csv", "-h"), ("env",), ("config", "path")])
def test_what_is_needed_to_mend_a_settings_file_works_with_a_broken_one(folders, inbedder, words):
    folder, _ = folders
    (folder / "inbedder.toml").write_text("model = [")
    result = inbedder(*words)
    assert "warning: inbedder.toml cannot be read as settings" in result.stderr
    assert result.stdout
    assert "cannot be read" in inbedder("config", "show").stderr


def test_a_setting_for_all_commands_holds_for_those_that_take_it(inbedder, monkeypatch):
    monkeypatch.setenv("INBEDDER_FORMAT", "jsonl")
    monkeypatch.setenv("INBEDDER_K", "auto")
    rows = [json.loads(line) for line in inbedder("config", "show").stdout.splitlines()]
    found = {(row["command"], row["option"]) for row in rows}
    assert {("cluster", "format"), ("cluster", "k")} <= found
    assert not {("evaluate", "format"), ("compare", "k")} & found
    monkeypatch.setenv("INBEDDER_FORMAT", "nonsense")
    result = inbedder("config", "show")
    assert result.exit_code == 2
    assert "INBEDDER_FORMAT" in result.stderr


@pytest.mark.parametrize(
    "setting",
    ['delimiter = ";"', "escape-formulas = true", "excel = true", "json = true", "seed = 1"],
)
def test_a_setting_without_an_effect_stops_no_run(folders, inbedder, tiny, setting):
    folder, _ = folders
    (folder / "inbedder.toml").write_text(setting)
    rows = "".join(json.dumps({"text": f"The room was {word}."}) + "\n" for word in ("cold", "loud", "red") * 3)
    (folder / "x.jsonl").write_text(rows)
    options = ("-i", QUESTION, "-m", tiny, "-k", 2, "--no-baseline", "--no-stability", "-f", "jsonl")
    result = inbedder("cluster", "x.jsonl", *options)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 9


def test_settings_of_tables_stop_no_command_without_one(folders, inbedder, monkeypatch):
    monkeypatch.setenv("INBEDDER_SEED", "1")
    monkeypatch.setenv("INBEDDER_ID", "id")
    for words in (("evaluate", "no-suite"), ("train", "none.jsonl", "-o", "x", "-m", "none")):
        assert "options of a table" not in inbedder(*words).stderr
    assert "options of a table" in inbedder("evaluate", "no-suite", "--seed", 3).stderr


def test_a_key_of_many_parts_is_refused_before_it_is_parsed(folders, inbedder):
    folder, _ = folders
    (folder / "inbedder.toml").write_text("a" + ".a" * 5000 + " = 1")
    result = inbedder("config", "show")
    assert result.exit_code == 2
    assert "dots" in result.stderr


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may search any folder")
def test_a_folder_that_cannot_be_searched_has_no_settings(folders, inbedder):
    _, user = folders
    (user / "inbedder.toml").write_text("seed = 1")
    user.chmod(0)
    try:
        assert "missing" in inbedder("config", "path").stdout
    finally:
        user.chmod(0o700)
