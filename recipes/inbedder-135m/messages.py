"""Customer messages composed from the phrases in messages.json: product, complaint, praise, wish, mood, company.

These properties and the form vary independently. Each question asks for one of them, so that a text has several
answers that do not follow from each other.
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
    """Return a message and its answers, by the keys of `ASKS`."""
    answers = {"thing": rng.choice(PHRASES["things"])}
    brand = rng.choice(PHRASES["brands"])
    sentiment = answers["sentiment"] = rng.choice(("positive", "negative", "negative", "neutral"))
    moods: dict[str, list[str]] = {}
    if sentiment == "neutral":
        wanted = answers["wanted"] = rng.choice(sorted(PHRASES["wanted"])) if rng.random() < 0.75 else ""
        said = rng.choice(PHRASES["wanted"][wanted]) + "?" if wanted else rng.choice(PHRASES["plain"])
        answers["mood"] = "neutral"
    else:
        key = "right" if sentiment == "positive" else "wrong"
        moods = PHRASES["good_moods" if sentiment == "positive" else "moods"]
        answers[key] = rng.choice(sorted(PHRASES[key]))
        said = rng.choice(PHRASES[key][answers[key]]) + "."
        if rng.random() < 0.6:
            answers["mood"] = rng.choice(sorted(moods))
    about = rng.choice(ABOUT)
    if "{brand}" in about:
        answers["brand"] = brand
    sentence = said if said in PHRASES["plain"] else about + said
    if "{brand}" in sentence:
        answers["brand"] = brand
    sentence = sentence.format(thing=answers["thing"], brand=brand)
    sentence = sentence[:1].upper() + sentence[1:]
    if "mood" in answers and moods:
        mood = rng.choice(moods[answers["mood"]])
        sentence = f"{mood} {sentence}" if rng.random() < 0.5 else f"{sentence} {mood}"
    answers["form"] = rng.choice(("tweet", "email", "review", "chat"))
    if answers["form"] == "tweet" and rng.random() < 0.7:
        answers["brand"] = brand
    return _written(sentence, answers, brand, rng), {key: value for key, value in answers.items() if value}


def _written(sentence: str, answers: dict[str, str], brand: str, rng: random.Random) -> str:
    """Return the sentence in the form of a tweet, an email, a review or a chat message."""
    if answers["form"] == "tweet":
        tags = (" #fail", " smh") if answers["sentiment"] == "negative" else (" #service", "")
        return (f"@{brand} " if "brand" in answers else "") + sentence.rstrip(".") + rng.choice(("", *tags))
    if answers["form"] == "email":
        return f"{rng.choice(HELLO)} {sentence} {rng.choice(BYE)}{rng.choice(NAMES)}"
    if answers["form"] == "review":
        return rng.choice((f"{STARS[answers['sentiment']]} ", "Review: ", "Verified purchase. ")) + sentence
    return rng.choice(("hi ", "hey, ", "hello?? ", "hi there, ")) + sentence[:1].lower() + sentence[1:]
