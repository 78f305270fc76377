"""Make the training file of the bundled default from a collection of (input, instruction, output, source) rows.

    python prepare.py qa.jsonl > training.jsonl

It keeps short texts of the sources that ask what people ask of their tables, and derives from what the sources
are: which language a text is in, what kind of text it is, whether a feeling is good or bad, what a request or a
review is about. Passages that come in four languages are cut to the sentence that holds the answer. The last
step is a fixed shuffle. Reads rows, writes rows, asks no model.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import defaultdict
from pathlib import Path

LONGEST = 60  # words of a text
LEFT_OUT = {"ni_winogrande", "gap_coref", "torque", "propara", "tatqa", "covid_qa", "friendsqa", "fairytaleqa"}
MOST = {"qadiscourse": 1200, "qasrl_gs": 1200, "ecare_causal": 2000, "ni_multirc_sentence": 1500, "qamr": 4000}
MOST |= {"ni_qasc": 2000, "atomic_devtest": 2200, "event2mind": 3500, "medquad": 1500, "sgd_slots": 2500}

PARALLEL = {"xquad_en": "English", "xquad_de": "German", "xquad_es": "Spanish", "xquad_ro": "Romanian"}
ENGLISH = ("goemotions", "qamr", "hwu64_nlu", "mams", "snips_nlu", "sgd_slots")
WHICH_LANGUAGE = (
    "What language is this text written in?",
    "Which language is used here?",
    "In which language does the author write?",
)

KINDS = {
    "fairytaleqa": "fairy tale",
    "friendsqa": "TV script",
    "goemotions": "online comment",
    "wnut17_entities": "tweet",
    "mams": "restaurant review",
    "qasrl_gs": "news article",
    "torque": "news article",
    "xquad_en": "encyclopedia article",
    "xquad_de": "encyclopedia article",
    "xquad_es": "encyclopedia article",
    "xquad_ro": "encyclopedia article",
    "qed_nq": "encyclopedia article",
    "medquad": "medical advice",
    "medical_abstracts": "scientific paper",
    "covid_qa": "scientific paper",
    "hwu64_nlu": "voice command",
    "snips_nlu": "voice command",
    "sgd_intent": "conversation",
    "sgd_domain": "conversation",
    "ni_question_type": "quiz question",
    "tatqa": "financial report",
    "propara": "explanation",
    "restaurant8k": "booking request",
    "e2e_restaurants": "restaurant description",
    "ni_qasc": "science fact",
}
WHICH_KIND = (
    "What kind of text is this?",
    "What genre is this text?",
    "Where was this text published?",
    "What form of writing is this?",
)

GOOD = set("admiration amusement approval caring excitement gratitude joy love optimism pride relief".split())
BAD = set("anger annoyance disappointment disapproval disgust embarrassment fear".split())
BAD |= set("grief nervousness remorse sadness".split())
OPINIONS = (
    ("What is the sentiment of this text: positive, negative or neutral?", ("positive", "negative", "neutral")),
    ("Is the writer positive or negative?", ("positive", "negative", None)),
    ("How does the writer feel about it?", ("positive", "negative", "neutral")),
    ("Does the writer like it or dislike it?", ("like", "dislike", None)),
    ("Is this praise or criticism?", ("praise", "criticism", None)),
)

SUBJECTS = {"mams": "restaurant", "e2e_restaurants": "restaurant", "medical_abstracts": "medicine"}
SUBJECTS |= {"tatqa": "finance", "covid_qa": "virus", "restaurant8k": "table booking", "medquad": "disease"}
WHAT_ABOUT = ("What is the text about?", "What is the topic?", "What is the main subject of the text?")


def main() -> None:
    """Read rows, write rows."""
    rng = random.Random(0)
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    by_source = defaultdict(list)
    for row in rows:
        by_source[row["source"]].append(row)
    kept = chosen(by_source, rng) + sentences_in_four_languages(by_source)
    kept += languages(by_source, rng) + kinds(by_source, rng) + opinions(by_source, rng) + subjects(by_source, rng)
    rng.shuffle(kept)
    for row in kept:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def chosen(by_source: dict, rng: random.Random) -> list[dict]:
    """Return the short rows of the sources that are kept."""
    kept = []
    for source, rows in by_source.items():
        short = [r for r in rows if len(r["input"].split()) <= LONGEST]
        if source not in LEFT_OUT and source not in PARALLEL:
            kept += rng.sample(short, min(len(short), MOST.get(source, len(short))))
    return kept


def sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [s for s in re.split(r"(?<=[.!?])\s+", text.strip()) if s]


def sentences_in_four_languages(by_source: dict) -> list[dict]:
    """Return questions on passages that come in four languages, on the sentence that answers in English."""
    place = {}
    for row in by_source["xquad_en"]:
        parts = sentences(row["input"])
        holding = [i for i, s in enumerate(parts) if row["output"].lower() in s.lower()]
        if len(holding) == 1:
            place[row["instruction"]] = (holding[0], len(parts))
    kept = []
    for source in PARALLEL:
        for row in by_source[source]:
            index, count = place.get(row["instruction"], (0, 0))
            parts = sentences(row["input"])
            if count and len(parts) == count and len(parts[index].split()) <= LONGEST:
                kept.append(row | {"input": parts[index]})
    return kept


def languages(by_source: dict, rng: random.Random) -> list[dict]:
    """Return which language a sentence is in."""
    kept = []
    for source, language in PARALLEL.items():
        texts = {row["input"] for row in by_source[source]}
        found = sorted({s for text in texts for s in sentences(text) if 5 <= len(s.split()) <= 30})
        kept += [
            made(s, rng.choice(WHICH_LANGUAGE), language, source) for s in rng.sample(found, min(250, len(found)))
        ]
    for source in ENGLISH:
        kept += [
            made(r["input"], rng.choice(WHICH_LANGUAGE), "English", source)
            for r in rng.sample(by_source[source], 30)
        ]
    return kept


def kinds(by_source: dict, rng: random.Random) -> list[dict]:
    """Return what kind of text each source holds, on one or two of its sentences."""
    kept = []
    for source, kind in KINDS.items():
        for row in rng.sample(by_source[source], min(120, len(by_source[source]))):
            parts = sentences(row["input"])
            start = rng.randrange(len(parts))
            text = " ".join(" ".join(parts[start : start + 2]).split()[:LONGEST])
            kept.append(made(text, rng.choice(WHICH_KIND), kind, source))
    return kept


def opinions(by_source: dict, rng: random.Random) -> list[dict]:
    """Return whether a feeling is good or bad (the grouping of the GoEmotions paper)."""
    kept = []
    for row in rng.sample(by_source["goemotions"], 2200):
        side = (
            0
            if row["output"] in GOOD
            else 1
            if row["output"] in BAD
            else 2
            if row["output"] == "neutral"
            else None
        )
        question, answers = rng.choice(OPINIONS)
        if side is not None and answers[side] is not None:
            kept.append(made(row["input"], question, answers[side], "goemotions"))
    return kept


def subjects(by_source: dict, rng: random.Random) -> list[dict]:
    """Return what a review, an abstract or a request is about, as its source says."""
    kept = []
    for source, subject in SUBJECTS.items():
        for row in rng.sample(by_source[source], min(60, len(by_source[source]))):
            text = " ".join(row["input"].split()[:LONGEST])
            kept.append(made(text, rng.choice(WHAT_ABOUT), subject, source))
    for row in by_source["sgd_domain"]:
        kept.append(made(row["input"], rng.choice(WHAT_ABOUT), row["output"], "sgd_domain"))
    return kept


def made(text: str, instruction: str, output: str, source: str) -> dict:
    """Return a row."""
    return {"input": text, "instruction": instruction, "output": output, "source": source}


if __name__ == "__main__":
    main()
