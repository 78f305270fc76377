"""Messages of customers, made up of the phrases in messages.json: what is meant, wrong, right, wanted, felt.

These and the form vary freely. Each question asks for one of them alone, so that a text has several answers that
do not follow from each other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

PHRASES = json.loads(Path(__file__).with_name("messages.json").read_text(encoding="utf-8"))
ASKS, SENTIMENT = PHRASES["questions"], PHRASES["sentiment"]
ABOUT = (
    "About the {thing}: ",
    "My {thing}, well, ",
    "{brand} {thing}: ",
    "Your {thing}: ",
    "The {thing} at {brand}: ",
    "So, the {thing}. ",
)
HELLO = ("Dear Sir or Madam,", "Hello,", "Dear team,", "Good morning,")
BYE = ("Kind regards, ", "Yours, ", "Best wishes, ")
NAMES = ("A. Meyer", "Jo Smith", "R. Costa", "Lena")
STARS = {"positive": "★★★★★", "negative": "★☆☆☆☆", "neutral": "★★★☆☆"}


def message(rng: random.Random) -> tuple[str, dict[str, str]]:
    """Return a message and what it says by the keys of `ASKS`."""
    facts = {"thing": rng.choice(PHRASES["things"])}
    brand = rng.choice(PHRASES["brands"])
    sentiment = facts["sentiment"] = rng.choice(("positive", "negative", "negative", "neutral"))
    moods: dict[str, list[str]] = {}
    if sentiment == "neutral":
        wanted = facts["wanted"] = rng.choice(sorted(PHRASES["wanted"])) if rng.random() < 0.75 else ""
        said = rng.choice(PHRASES["wanted"][wanted]) + "?" if wanted else rng.choice(PHRASES["plain"])
        facts["mood"] = "neutral"
    else:
        key = "right" if sentiment == "positive" else "wrong"
        moods = PHRASES["good_moods" if sentiment == "positive" else "moods"]
        facts[key] = rng.choice(sorted(PHRASES[key]))
        said = rng.choice(PHRASES[key][facts[key]]) + "."
        if rng.random() < 0.6:
            facts["mood"] = rng.choice(sorted(moods))
    about = rng.choice(ABOUT)
    if "{brand}" in about:
        facts["brand"] = brand
    sentence = said if said in PHRASES["plain"] else about + said
    if "{brand}" in sentence:
        facts["brand"] = brand
    sentence = sentence.format(thing=facts["thing"], brand=brand)
    sentence = sentence[:1].upper() + sentence[1:]
    if "mood" in facts and moods:
        mood = rng.choice(moods[facts["mood"]])
        sentence = f"{mood} {sentence}" if rng.random() < 0.5 else f"{sentence} {mood}"
    facts["form"] = rng.choice(("tweet", "email", "review", "chat"))
    if facts["form"] == "tweet" and rng.random() < 0.7:
        facts["brand"] = brand
    return _written(sentence, facts, brand, rng), {key: value for key, value in facts.items() if value}


def _written(sentence: str, facts: dict[str, str], brand: str, rng: random.Random) -> str:
    """Return the sentence in its form."""
    if facts["form"] == "tweet":
        tags = (" #fail", " smh") if facts["sentiment"] == "negative" else (" #service", "")
        return (f"@{brand} " if "brand" in facts else "") + sentence.rstrip(".") + rng.choice(("", *tags))
    if facts["form"] == "email":
        return f"{rng.choice(HELLO)} {sentence} {rng.choice(BYE)}{rng.choice(NAMES)}"
    if facts["form"] == "review":
        return rng.choice((f"{STARS[facts['sentiment']]} ", "Review: ", "Verified purchase. ")) + sentence
    return rng.choice(("hi ", "hey, ", "hello?? ", "hi there, ")) + sentence[:1].lower() + sentence[1:]
