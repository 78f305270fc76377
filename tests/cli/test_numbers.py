"""Numbers out of range are usage errors that name the option and its range."""

from __future__ import annotations

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from inbedder_cli import ClusterOptions
from inbedder_cli.cli import app
from inbedder_cli.errors import UsageError


def commands(group, *names):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *names, name)
        else:
            yield [*names, name], command


ROOT = get_command(app)
OPTIONS = [
    pytest.param(command, option, id=" ".join([*command, option.opts[0]]))
    for command, known in commands(ROOT)
    for option in known.params
    if any(kind in str(option.type_descriptor.annotation) for kind in ("int", "float")) and not option.count
]


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_every_number_has_a_range_and_stays_in_it(command, option, capsys):
    assert option.min is not None
    assert option.max is not None
    name = option.opts[0]
    for value in (
        option.min - 1,
        option.max + 1,
        2**63,
        2**70,
        -(2**70),
        "nan",
        "inf",
        "-inf",
        "1e400",
        "9" * 5000,
    ):
        with pytest.raises(SystemExit, match="2"):
            ROOT.main([*command, name, str(value)])
        message, hint = capsys.readouterr().err.splitlines()
        assert f"Invalid value for '{option.opts[0]}'" in message or name in message
        assert hint == f"  give a number from {option.min} to {option.max}"


def test_the_options_with_numbers_are_found():
    assert len(OPTIONS) > 60


@pytest.mark.parametrize("k", [2**70, "9" * 5000, "nan", "inf", "1e400", "1.5"])
def test_k(tmp_path, k):
    result = CliRunner().invoke(app, ["cluster", "x.csv", "-i", "What?", "-k", str(k)])
    assert result.exit_code == 2
    assert result.stderr.startswith("inbedder: -k ")


@pytest.mark.parametrize(
    ("option", "value"), [("--max-size", "9" * 400 + "g"), ("--older-than", "1" + "0" * 30 + "w")]
)
def test_amounts_of_the_cache(option, value):
    result = CliRunner().invoke(app, ["cache", "prune", option, value])
    assert result.exit_code == 2
    assert f"{option} must be at most" in result.stderr


@pytest.mark.parametrize("seed", [-1, 2**32, 2**70])
def test_seeds_from_python(seed):
    with pytest.raises(UsageError, match="between 0 and 4294967295"):
        ClusterOptions(seed=seed)
