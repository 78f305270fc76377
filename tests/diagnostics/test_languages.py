"""Which texts and questions count as being in a language that a model does not read."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.diagnostics import languages
from inbedder_cli.diagnostics.languages import identify, name_languages, unread_languages
from inbedder_cli.models.manifest import bundled_for

GERMAN = ["Das Paket kam kaputt an, ich bin stocksauer!", "Der Kundendienst war sehr freundlich und schnell."]
ENGLISH = ["The parcel arrived broken and nobody answers.", "Great service, very friendly staff.", "ok", "5/5"]
ENGLISH_QUESTIONS = ["sentiment", "What emotion is expressed?", "topic", "Which product is it about?"]
JAPANESE = ["配送が三日も遅れて、箱も潰れていました。", "画面がすぐに固まって使えません。"]


def test_texts_that_are_read_are_not_reported():
    assert unread_languages(ENGLISH, ("en",)) == {}
    assert unread_languages([], ("en",)) == {}
    assert unread_languages(GERMAN, ("en", "de")) == {}
    assert unread_languages(["!!", "7", ""], ("en",)) == {}


def test_addresses_markup_and_noise_are_in_no_language():
    texts = [f"see https://shop.example.org/item/{i}?a=b&w=e" for i in range(5)]
    texts += ["<div class='rückseite'><br/></div>", "zxcvbnm qwrtpsdfg hjklzxcv", "mail@beispiel-händler.example"]
    assert unread_languages(texts, ("en",)) == {}


def test_others_are_reported_with_their_share():
    assert unread_languages(GERMAN, ("en",)) == {"de": 1.0}
    found = unread_languages([*GERMAN, *ENGLISH, *JAPANESE], ("en",))
    assert found == {"de": 0.25, "ja": 0.25}


def test_one_text_among_many_is_not_worth_a_word():
    many = [f"The parcel number {i} arrived broken and nobody answers." for i in range(60)]
    assert unread_languages([*many, GERMAN[0]], ("en",)) == {}
    assert unread_languages([GERMAN[0]], ("en",)) == {"de": 1.0}


def test_short_texts_are_read_together():
    short = ["zu teuer", "nicht gut", "sehr schnell", "kaputt", "immer wieder", "leider nein", "keine Ahnung"]
    assert unread_languages(short, ("en",)) == {"de": 1.0}
    assert unread_languages(["too slow", "broken", "not good", "very fast", "no idea", "again"], ("en",)) == {}


@pytest.mark.parametrize(
    "question",
    ["sentiment", "What emotion is expressed?", "topic", "Group by complaint", "Which product is it about?"],
)
def test_english_questions_pass(question):
    assert identify(question, ("en",))[1] is not False


@pytest.mark.parametrize(
    ("question", "code"), [("Welches Gefühl wird ausgedrückt?", "de"), ("何についてですか？", "ja")]
)
def test_questions_in_another_language_are_found(question, code):
    assert identify(question, ("en",)) == (code, False)


@given(st.lists(st.text(), max_size=8))
def test_shares_are_shares(texts):
    found = unread_languages(texts, ("en",))
    assert 0 <= sum(found.values()) <= 1 + 1e-9
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_models_are_named_that_read_a_language():
    assert bundled_for(["de"]) == ["inbedder-1.5b", "inbedder-0.5b"]
    assert "inbedder-135m" in bundled_for(["en"])
    assert name_languages(["de"]) == "German"


@pytest.fixture
def english_model(tiny_models, tmp_path):
    """A tiny model that says of itself that it reads English."""
    folder = shutil.copytree(tiny_models["llama"], tmp_path / "english")
    manifest = {"schema": 2, "name": "english", "description": "", "license": "", "base": {}, "adapter": None}
    manifest |= {"template": "paper", "layer": None, "pooling": "first-token", "languages": ["en"]}
    (folder / "inbedder.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_a_model_is_named_for_the_most_frequent_language_where_none_reads_all():
    assert languages._models_for(["de", "fr"]) == "-m inbedder-1.5b or -m inbedder-0.5b"
    assert languages._models_for(["de", "et"]) == "-m inbedder-1.5b or -m inbedder-0.5b for German"
    assert languages._models_for(["et", "de"]) == "-m with a model of the Hugging Face hub that does"


def test_a_command_warns_once_and_notes_it_in_the_result(inbedder, tmp_path, english_model):
    file = tmp_path / "texts.csv"
    file.write_text("text\n" + "".join(f'"{text}"\n' for text in [*GERMAN * 3, *ENGLISH]), encoding="utf-8")
    question = "Worüber beschwert sich der Kunde?"
    result = inbedder("cluster", file, "-i", question, "-k", 2, "-m", english_model, "-f", "json")
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert "German" in warnings[0]
    assert "-m inbedder-1.5b or -m inbedder-0.5b" in warnings[0]
    assert "the question is in German" in warnings[1]
    assert json.loads(result.stdout)["unread_languages"] == {"de": 0.333333}


def test_a_verdict_is_kept_so_that_the_identifier_is_not_loaded_again(tmp_path, monkeypatch):
    monkeypatch.setenv("INBEDDER_CACHE", str(tmp_path / "cache"))
    texts = [f"Das Zimmer war kalt und laut, Nummer {i}." for i in range(5)]
    shares = unread_languages(texts, ["en"])
    verdict = identify("Was ist das Problem mit dem Zimmer?", ["en"])
    languages._unread_shares.cache_clear()

    def fail():
        raise AssertionError("the identifier is loaded")

    monkeypatch.setattr(languages, "_identifier", fail)
    assert unread_languages(texts, ["en"]) == shares == {"de": 1.0}
    assert identify("Was ist das Problem mit dem Zimmer?", ["en"]) == verdict
    with pytest.raises(AssertionError):
        unread_languages(texts, ["en", "fr"])
    assert "Zimmer" not in (tmp_path / "cache" / "memo.json").read_text()
