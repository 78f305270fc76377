"""Choices refuse other values in the words of the field."""

from __future__ import annotations

import pytest

from inbedder_cli.errors import UsageError
from inbedder_cli.options import Dtype, EmptyTexts, Pooling


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Pooling, 'unknown pooling "last"'),
        (Dtype, 'unknown dtype "last"'),
        (EmptyTexts, 'unknown treatment of empty texts "last"'),
    ],
)
def test_a_refusal_names_the_option_in_the_words_of_the_field(choice, message):
    with pytest.raises(UsageError) as refused:
        choice("last")
    assert str(refused.value) == message
    assert all(str(member) in refused.value.hint for member in choice)
