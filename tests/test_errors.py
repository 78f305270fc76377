"""Errors: exit codes, places and hints."""

from __future__ import annotations

import pytest

from inbedder_cli.errors import (
    INTERRUPTED,
    InbedderError,
    InputError,
    ModelError,
    OutOfMemoryError,
    RowsFailedError,
    UsageError,
    WriteError,
    did_you_mean,
)

EXIT_CODES = {
    InbedderError: 1,
    UsageError: 2,
    ModelError: 3,
    RowsFailedError: 4,
    InputError: 5,
    OutOfMemoryError: 6,
    WriteError: 1,
}


@pytest.mark.parametrize(("kind", "code"), EXIT_CODES.items())
def test_every_kind_of_error_has_its_own_exit_code(kind, code):
    error = kind("went wrong", hint="do this")
    assert isinstance(error, InbedderError)
    assert error.exit_code == code
    assert str(error) == "went wrong"
    assert error.hint == "do this"


def test_no_kind_of_error_was_forgotten():
    assert set(InbedderError.__subclasses__()) == set(EXIT_CODES) - {InbedderError}
    assert INTERRUPTED == 130


@pytest.mark.parametrize("kind", [UsageError, InputError])
def test_wrong_arguments_are_value_errors_as_in_scikit_learn(kind):
    with pytest.raises(ValueError, match="went wrong"):
        raise kind("went wrong")
    assert not issubclass(ModelError, ValueError)


def test_a_hint_is_not_needed():
    assert InbedderError("went wrong").hint is None


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({}, "bad"),
        ({"source": "x.csv"}, "x.csv: bad"),
        ({"source": "x.csv", "row": 3}, "x.csv, row 3: bad"),
        ({"source": "x.csv", "row": 3, "line": 5}, "x.csv, row 3 (line 5): bad"),
        ({"source": "x.csv", "line": 5}, "x.csv, line 5: bad"),
        ({"row": 3, "column": "body"}, 'row 3, column "body": bad'),
        ({"source": "x.csv", "row": 3, "line": 5, "column": "body"}, 'x.csv, row 3 (line 5), column "body": bad'),
        ({"row": 0, "line": 0}, "row 0 (line 0): bad"),
        ({"column": ""}, 'column "": bad'),
    ],
)
def test_an_input_error_says_where(place, message):
    error = InputError("bad", hint="look there", **place)
    assert str(error) == message
    assert error.hint == "look there"


def test_a_percent_sign_or_brace_in_a_message_stays():
    assert str(InputError("100 % {of}", source="{x}")) == "{x}: 100 % {of}"


@pytest.mark.parametrize(
    ("word", "options", "said"),
    [
        ("txt", ["id", "text"], 'did you mean "text"? '),
        ("zzz", ["id", "text"], ""),
        ("text", [], ""),
        ("texts", ("text", "test"), 'did you mean "text"? '),
    ],
)
def test_the_nearest_option_is_offered(word, options, said):
    assert did_you_mean(word, options) == said


def test_options_may_be_any_iterable():
    assert did_you_mean("papr", iter({"paper": 1})) == 'did you mean "paper"? '
