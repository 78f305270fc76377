from __future__ import annotations

from types import MappingProxyType

import pandas as pd
import pytest

from inbedder_cli import ClusterOptions, read_corpus
from inbedder_cli.errors import UsageError
from inbedder_cli.questions import check_analysis, named_instructions

QUESTION = "What emotion is expressed?"


def test_questions_get_names_by_their_place():
    assert named_instructions(QUESTION) == {"": QUESTION}
    assert named_instructions([QUESTION]) == {"": QUESTION}
    assert named_instructions([QUESTION, "Why?"]) == {"q1": QUESTION, "q2": "Why?"}
    assert named_instructions({"mood": QUESTION}) == {"mood": QUESTION}
    with pytest.raises(UsageError, match="no instruction"):
        named_instructions([])


def test_any_mapping_has_names():
    names = {"mood": QUESTION, "topic": "What is it about?"}
    assert named_instructions(MappingProxyType(names)) == names
    for wrong in ([QUESTION, None], {"mood": 3}):
        with pytest.raises(UsageError, match="must be a text"):
            named_instructions(wrong)


def test_a_question_is_not_named_like_a_column_that_it_is_crossed_with():
    corpus = read_corpus(pd.DataFrame({"text": ["a", "b"], "mood": ["x", "y"]}), text="text")
    assert check_analysis(corpus, [ClusterOptions()], ["mood"], questions={"topic": QUESTION})
    with pytest.raises(UsageError, match='"mood" is the name of a question and of a column'):
        check_analysis(corpus, [ClusterOptions()], ["mood"], questions={"mood": QUESTION})
