from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from inbedder_cli.corpus import Corpus, read_corpus
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.encoders import BaseEncoder, EncodedText
from inbedder_cli.encoders.encoded import Answer
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import ClusterOptions, UnansweredOptions
from inbedder_cli.pipeline import analyze, cluster, explain, flag_unanswered

QUESTION = "What emotion is expressed?"
rng = np.random.default_rng(0)
ANGER, JOY = (center + rng.normal(0, 0.1, (10, 8)).astype(np.float32) for center in (np.eye(8)[0], np.eye(8)[1]))


def clustered(vectors, answers, instructions=QUESTION, **settings):
    texts = [f"text {i}" for i in range(len(answers))]
    corpus = Corpus("x.csv", pa.table({"text": texts}), texts, [str(i) for i in range(len(texts))], ("text",))
    embedding = Embeddings(np.asarray(vectors, np.float32), answers, [RowStatus.ok] * len(answers))
    options = ClusterOptions(k=2)
    analysis = analyze(corpus, instructions, embeddings=embedding, cluster_options=options, **settings)
    return analysis.result


def test_rows_that_do_not_answer_neither_form_nor_bend_clusters():
    answered = clustered([*ANGER, *JOY], ["anger"] * 10 + ["joy"] * 10)
    far = 50 * rng.normal(size=(15, 8))
    run = clustered([*ANGER, *JOY, *far], ["anger"] * 10 + ["joy"] * 10 + ["unknown"] * 8 + [""] * 7)
    assert run.labels[:20] == answered.labels
    assert run.labels[20:] == [None] * 15
    assert run.status[20:] == [RowStatus.no_answer] * 15
    assert {s.label for s in run.summaries} == {"anger", "joy"}
    np.testing.assert_array_equal(run.clustering.mean, answered.clustering.mean)
    np.testing.assert_array_equal(run.clustering.margins, answered.clustering.margins)


def test_the_group_of_those_that_do_not_answer_is_described_and_shares_add_up():
    run = clustered([*ANGER, *JOY], ["unknown", "Unknown", "", *["anger"] * 7, *["joy"] * 10])
    assert run.unanswered.size == 3
    assert [(a.text, round(a.share, 2)) for a in run.unanswered.answers] == [("unknown", 0.67), ("", 0.33)]
    assert [e.id for e in run.unanswered.exemplars] == ["0", "2"]
    assert sum(s.share for s in run.summaries) + run.unanswered.share == pytest.approx(1)


def test_either_an_encoder_or_embeddings_are_taken():
    run = clustered([*ANGER, *JOY], ["anger"] * 10 + ["joy"] * 10)
    for given in ({}, {"encoder": object(), "embeddings": run.embeddings}):
        with pytest.raises(UsageError, match="either an encoder or embeddings"):
            analyze(run.corpus, QUESTION, **given)


def test_embeddings_answer_no_other_question():
    run = clustered([*ANGER, *JOY], ["anger"] * 10 + ["joy"] * 10)
    with pytest.raises(UsageError, match="were made with"):
        analyze(run.corpus, "Which product is it about?", embeddings=run.embeddings)
    assert analyze(run.corpus, "", embeddings=run.embeddings).result.instruction == QUESTION


class Blind(BaseEncoder):
    """Gives each text the same vector under any question."""

    name = identity = "blind"
    hidden_size = 8

    def encode_batches(self, texts, instruction, options=None, reporter=None, known=()):
        for text in texts:
            place, vector = int(text.split()[1]), np.random.default_rng(len(text) * 7).normal(0, 0.05, 8)
            vector[place % 8] += 1
            said = ("good", "good", "good", "late", "dear", "dirty", "loud", "cold")[place % 8]
            yield {
                text: EncodedText(vector.astype(np.float32), Answer(said, 0.9, ((said, 0.9),)), truncated=False)
            }


def test_a_question_that_changes_nothing_agrees_fully_with_the_baseline_also_where_clusters_were_merged():
    corpus = read_corpus([f"text {i} {'.' * (i // 8)}" for i in range(96)])
    run = analyze(corpus, QUESTION, Blind()).result
    assert run.clustering.n_before_merging > run.clustering.k
    assert run.baseline.ami == pytest.approx(1)


def test_without_abstaining_or_without_answers_every_row_is_clustered():
    answers = ["unknown"] * 10 + ["joy"] * 10
    kept = clustered([*ANGER, *JOY], answers, unanswered_options=UnansweredOptions(flag=False))
    assert kept.unanswered is None
    assert None not in kept.labels
    corpus, bare = kept.corpus, Embeddings(kept.embeddings.vectors, None, [RowStatus.ok] * 20)
    found = analyze(corpus, "unknown", embeddings=bare, cluster_options=ClusterOptions(k=2))
    assert None not in found.result.labels


def test_too_few_answers_for_the_clusters_asked_for_are_reported_with_the_way_out():
    with pytest.raises(InputError, match="1 row with an answer is too few") as caught:
        clustered([*ANGER, *JOY], ["unknown"] * 19 + ["joy"])
    assert "19 rows do not answer the question; --no-flag-unanswered" in caught.value.hint


def test_exemplars_of_every_group_name_their_row_in_the_corpus():
    answers = ["unknown", "Unknown", "", *["anger"] * 7, *["joy"] * 10]
    run = clustered([*ANGER, *JOY], answers)
    groups = [*run.summaries, run.unanswered]
    shown = [e for s in groups for e in (*s.exemplars, *s.diverse, *s.borderline)]
    assert shown
    assert all((e.id, e.text) == (run.corpus.ids[e.row], run.corpus.texts[e.row]) for e in shown)
    assert all(answers[e.row] == e.answer for e in shown)


def test_vectors_decide_which_answers_are_counted_together():
    answers = ["southwest"] * 6 + ["southwestair"] * 4
    alike = clustered([*ANGER, *JOY], [*answers, *["delta"] * 10])
    assert [[answer.text for answer in s.answers] for s in alike.summaries] == [["southwest"], ["delta"]]
    apart = clustered([*ANGER[:6], *JOY[:4], *ANGER[6:], *JOY[4:]], [*answers, *["delta"] * 4, *["united"] * 6])
    assert {answer.text for s in apart.summaries for answer in s.answers} == {
        "southwest",
        "southwestair",
        "delta",
        "united",
    }


def test_large_results_have_short_reprs():
    result = clustered([*ANGER, *JOY], ["unknown", *["anger"] * 9, *["joy"] * 10])
    assert repr(result.embeddings) == "<Embeddings 20 x 8: 1 no-answer, 19 ok>"
    assert repr(result.clustering) == "<Clustering kmeans: 19 rows in 2 clusters>"


def test_steps_refuse_rows_of_another_corpus():
    run = clustered([*ANGER, *JOY], ["unknown"] * 2 + ["anger"] * 8 + ["joy"] * 10)
    embeddings = replace(run.embeddings, status=[RowStatus.ok] * 20)
    fewer = replace(run.corpus, table=run.corpus.table.slice(0, 5), texts=run.corpus.texts[:5])
    for step in (flag_unanswered, lambda corpus, e: explain(corpus, e, run.clustering)):
        with pytest.raises(UsageError, match="the embeddings hold 20 rows, the corpus 5"):
            step(fewer, embeddings)
    clustering = cluster(run.embeddings, ClusterOptions(k=2))
    with pytest.raises(UsageError, match="the clusters hold 18 rows, the embeddings 20"):
        explain(run.corpus, embeddings, clustering)


@pytest.mark.parametrize("name", ["my mood", "a-b", "2024"])
def test_a_question_has_a_name_that_a_saved_run_can_hold(name):
    with pytest.raises(UsageError, match="is no name of a question"):
        clustered([*ANGER, *JOY], ["anger"] * 10 + ["joy"] * 10, instructions={name: QUESTION})


def test_k_is_a_number_or_selected():
    assert ClusterOptions(k="auto").k is None
    for k in ("3", 2.5):
        with pytest.raises(UsageError, match="k must be a whole number"):
            ClusterOptions(k=k)
