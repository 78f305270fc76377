"""Measure how many of the answers in a text `--multi` finds, and how many of those are in it.

    python benchmarks/several_answers.py [-m MODEL]     # about ten minutes on one core

On five small corpora with gold answers: four are made of phrases; one (apps) was written by hand, after the
constants were chosen. Precision and recall are those of answers, which are told by words ("csv", "excel": export);
of clusters, with k the number of gold answers, where a cluster stands for the gold answer that fits it best. The
sample reviews name one product and one emotion each: there the mean number of answers a row is counted.
"""

from __future__ import annotations

import argparse
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli import ClusterOptions, EncodeOptions, analyze, load_encoder, read_corpus
from inbedder_cli.pipeline import embed, flag_unanswered
from inbedder_cli.units import embed_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.embeddings import Embeddings
    from inbedder_cli.encoders import Encoder

REVIEWS = Path(__file__).parent.parent / "sample_data" / "reviews.csv"
N_ROWS = 60

# The phrases of each gold answer, separated by bars, and what tells it in an answer of the model.
PHRASES = {
    "features": {
        "dark mode": ("dark mode|the dark theme", "dark|theme"),
        "export": ("CSV export|exporting to Excel", "export|csv|excel"),
        "sync": ("cloud sync|sync across devices", "sync|cloud|device"),
        "search": ("full-text search|the search bar", "search"),
        "widgets": ("widgets|the home-screen widget", "widget|home-screen"),
    },
    "complaints": {
        "noise": (
            "the people next door were shouting until three|the road outside is so loud that I could not sleep|"
            "the air conditioning rattled all night|there was constant noise from the bar below",
            "nois|loud|shout|air cond|people|bar$|rattl|street|road|sleep",
        ),
        "dirt": (
            "the bathroom was filthy|there was hair in the shower|the sheets had stains on them|"
            "the carpet was sticky",
            "dirt|clean|filth|stain|hair|shower|sheet|carpet|bathroom|toilet|sticky|bed",
        ),
        "staff": (
            "the receptionist was rude to us|nobody at the desk could be bothered to help|"
            "the waiter rolled his eyes when we asked for water|staff were unfriendly from start to finish",
            "staff|service|rude|recept|waiter|desk|unfriend|help",
        ),
        "price": (
            "it was far too expensive for what you get|they charged us forty euros for parking|"
            "the bill was higher than what we had been quoted",
            "price|expens|cost|parking|bill|charge|money|overcharg|quot",
        ),
        "wifi": (
            "the wifi dropped every ten minutes|there was no internet on our floor|"
            "I could not get online in the room at all",
            "wi-?fi|internet|online|connect",
        ),
        "food": (
            "the eggs at breakfast were cold|dinner was bland and overcooked|the coffee tasted like dishwater",
            "food|egg|dinner|coffee|breakfast|bland|overcook|dish|menu",
        ),
    },
    "symptoms": {
        "headache": ("a splitting headache|headaches|pain in my head", "head|pain|migraine"),
        "fever": ("a fever|a temperature of 39|a high temperature", "fever|temperature|heat"),
        "cough": ("a dry cough|coughing|a cough that will not go away", "cough"),
        "nausea": ("nausea|feeling sick to my stomach|vomiting", "nausea|sick|stomach|vomit"),
        "fatigue": ("tiredness|feeling exhausted all day|fatigue", "tired|exhaust|fatigue"),
        "rash": ("a rash on my arms|itchy red spots|a skin rash", "rash|itch|spot|skin"),
    },
    "news": {
        "football": (
            "City beat United 3-1 in the derby|the striker signed for Madrid for 80 million|"
            "the national team missed a penalty in the final minute",
            "football|sport|soccer|madrid|city|united|derby|team|penalt|striker|match",
        ),
        "election": (
            "the prime minister called an election for June|polls opened in twelve provinces on Sunday|"
            "the opposition won the vote by a narrow margin",
            "elect|politic|vote|poll|opposition|prime|govern|province",
        ),
        "earthquake": (
            "an earthquake of magnitude 6.1 shook the coast|rescue teams searched the rubble after the quake|"
            "aftershocks kept people out of their homes",
            "quake|disaster|rubble|rescue|aftershock",
        ),
        "interest rates": (
            "the central bank raised interest rates to 4 percent|inflation fell for the third month in a row|"
            "markets rose after the bank left rates unchanged",
            "rate|bank|financ|inflation|econom|market|stock",
        ),
        "weather": (
            "heavy snow closed the motorway|a heatwave is expected over the weekend|"
            "storms left thousands without power",
            "weather|snow|heat|storm|power|temperature|motorway|road",
        ),
    },
}
FRAMES = {
    "features": ("{} could be faster.", "Not happy with {}.", "Please keep {}.", "Best parts: {}.", "I love {}."),
    "symptoms": ("Since Monday I have {}.", "For a week now: {}.", "He has {} and asks whether to see a doctor."),
    "complaints": ("{}.", "Stayed two nights in March. {}.", "We came for a wedding. {}.", "Never again! {}."),
    "news": ("{}.", "{}."),
}
QUESTIONS = {
    "features": "Which features are mentioned?",
    "complaints": "What does the customer complain about?",
    "symptoms": "Which symptoms are mentioned?",
    "news": "Which topics are covered?",
    "apps": "Which problems are mentioned?",
}
APPS = {
    "crash": "crash|freez|clos|shut|error|camera|upload|save",
    "battery": "battery|charg|hot|heat",
    "login": "log|password|sign|account|lock|code|access|finger|factor|authent|reset",
    "ads": "ad$|ads|advert|commerc|casino|pop",
    "price": "price|money|pay|cost|expens|fee|subscri|refund|premium|charg|month",
    "slow": "slow|lag|load|speed|sluggish|delay|minute",
    "support": "support|service|help|answer|repl|respons|faq|custom|mail|commun",
}
APP_REVIEWS = """
battery crash: Since the last update it crashes every time I open the camera, and my battery is dead by noon.
login: Can't log in anymore. Password reset mail never arrives.
ads price: Way too many ads. I get one after every single swipe, plus they want 9.99 a month to remove them.
crash slow: It takes a full minute to load the home page and then it freezes half of the time.
price support: I wrote to customer service three times: no answer. Meanwhile I was still charged for premium.
ads battery slow: Good idea, bad execution - it is slow, drains the battery, and the ads are disgusting.
login: The app logs me out every day and I have to type the code from the text message again.
price: Not worth the money any more. They doubled the subscription.
crash: Crashes. Crashes. Crashes.
battery: Why does a to-do list need 30 percent of my battery?
price support: Support hung up on me and the refund never came.
crash support: I used to love this app. But now it shuts down without warning and nobody at support replies.
slow: Scrolling lags like crazy on my tablet; on the phone it's fine.
crash login: Login with fingerprint stopped working, and when I finally get in the thing crashes.
ads: An ad for a casino popped up while my six-year-old was playing. Shame on you!
price slow: So slow that I could make a coffee while it opens. The yearly fee went up too.
ads battery price: Battery, ads, price: three reasons to uninstall.
battery: Phone gets hot and loses charge within two hours if this runs in the background
support: The help desk was useless, they just send links to the FAQ.
ads crash slow: Full-screen ads, sluggish menus and an error message whenever I save.
login support: It won't accept my password. Help desk told me to reinstall, which did not help either.
price: Too expensive for what it does.
battery crash: Opens, then closes by itself. Also eats my battery.
slow: Loading... loading... loading...
ads login: Lovely colours and a clever widget, but the sign-in is a nightmare and the commercials are loud.
ads support: After paying for premium I still see adverts and nobody answers my mails.
slow: Everything is fine except that it is a little slow on older phones.
crash price: Keeps crashing when I upload photos, so I lost an hour of work. I want my money back.
login support: My account was locked for no reason; customer support needed eleven days to unlock it.
battery crash price: Drains battery. Costs too much. Crashes on start.
"""


class EveryWord(frozenset[str]):
    """Words among which every word is."""

    def __contains__(self, _: object) -> bool:
        return True


@dataclass(frozen=True)
class Task:
    """Texts with their gold answers, and the pattern that tells each in an answer of the model."""

    question: str
    texts: list[str]
    gold: list[set[str]]
    patterns: dict[str, str]


def make_task(name: str, seed: int = 0) -> Task:
    """Return a corpus by its name."""
    if name == "apps":
        lines = [line.partition(": ") for line in APP_REVIEWS.strip().splitlines()]
        return Task(QUESTIONS[name], [text for *_, text in lines], [set(g.split()) for g, *_ in lines], APPS)
    rng, phrases = random.Random(seed), PHRASES[name]
    texts, gold = [], []
    for _ in range(N_ROWS):
        own = rng.sample(sorted(phrases), rng.choices((1, 2, 3), (3, 4, 3))[0])
        said = [rng.choice(phrases[answer][0].split("|")) for answer in own]
        if name in ("features", "symptoms"):
            listed = " and ".join(filter(None, (", ".join(said[:-1]), said[-1])))
        else:
            listed = rng.choice((". ", "; ", ", and ", ". Also, ")).join(said)
        listed = listed if name == "symptoms" else re.sub(r"(^|\. )(\w)", lambda m: m[1] + m[2].upper(), listed)
        texts.append(rng.choice(FRAMES[name]).format(listed))
        gold.append(set(own))
    return Task(QUESTIONS[name], texts, gold, {answer: pattern for answer, (_, pattern) in phrases.items()})


def answers_by_row(embeddings: Embeddings, n_rows: int) -> list[list[str]]:
    """Return the answers of each row, without those that do not answer."""
    row_of = embeddings.units.row_of if embeddings.units else range(n_rows)
    found: list[list[str]] = [[] for _ in range(n_rows)]
    for unit in embeddings.rows:
        found[row_of[unit]].append((embeddings.answers or [])[unit] or "")
    return found


def score_answers(task: Task, found: Sequence[Sequence[str]]) -> tuple[float, float]:
    """Return the precision and the recall of answers."""
    right = n_found = n_recalled = 0
    for gold, answers in zip(task.gold, found, strict=True):
        told = [{name for name in gold if re.search(task.patterns[name], answer.lower())} for answer in answers]
        right, n_found = right + sum(map(bool, told)), n_found + len(told)
        n_recalled += len(set().union(*told))
    return right / max(1, n_found), n_recalled / sum(map(len, task.gold))


def score_clusters(task: Task, clusters: Sequence[set[int]]) -> tuple[float, float]:
    """Return the precision and the recall of clusters, each of which stands for the gold answer that fits best."""
    truth = {name: {i for i, gold in enumerate(task.gold) if name in gold} for name in task.patterns}
    meaning = {}
    for cluster in set().union(*clusters):
        rows = {i for i, own in enumerate(clusters) if cluster in own}
        meaning[cluster] = max(
            truth, key=lambda name: 2 * len(rows & truth[name]) / (len(rows) + len(truth[name]))
        )
    sets = [{meaning[cluster] for cluster in own} for own in clusters]
    hits = sum(len(own & gold) for own, gold in zip(sets, task.gold, strict=True))
    return hits / max(1, sum(map(len, sets))), hits / sum(map(len, task.gold))


def measure(task: Task, encoder: Encoder) -> dict[str, tuple[float, float]]:
    """Return precision and recall by way of finding answers."""
    corpus = read_corpus(task.texts)
    whole = embed(corpus, task.question, encoder)
    every, multi = (embed_units(corpus, whole, encoder, words=words) for words in (EveryWord(), None))
    ways = {"whole texts": flag_unanswered(corpus, whole), "all parts": every, "multi": multi}
    scores = {way: score_answers(task, answers_by_row(found, len(corpus))) for way, found in ways.items()}
    options = ClusterOptions(k=len(task.patterns), stability=False)
    for way in ("whole texts", "multi"):
        result = analyze(
            corpus, task.question, encoder, cluster_options=options, multi=way == "multi", baseline=False
        ).result
        of_rows = result.units.by_row(result.labels) if result.units else [[label] for label in result.labels]
        clusters = [{label for label in labels if label is not None} for labels in of_rows]
        scores[f"clusters, {way}"] = score_clusters(task, clusters)
    return scores


def main() -> None:
    """Print the figures of all corpora, and the number of answers in the sample reviews."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", default="inbedder-135m")
    encoder = load_encoder(parser.parse_args().model)
    for name in QUESTIONS:
        task = make_task(name)
        shown = [f"{way} {p:.2f} / {r:.2f}" for way, (p, r) in measure(task, encoder).items()]
        print(f"{name}, {np.mean([len(g) for g in task.gold]):.2f} answers a row: {'; '.join(shown)}", flush=True)
    for question in ("Which product is it about?", "What emotion is expressed?"):
        corpus = read_corpus(REVIEWS, text="text", limit=120)
        whole = embed(corpus, question, encoder, EncodeOptions())
        found = answers_by_row(embed_units(corpus, whole, encoder), len(corpus))
        n = np.array([len(answers) for answers in found if answers])
        print(f"reviews, {question} {n.mean():.2f} answers a row, several in {(n > 1).mean():.0%} of them")


if __name__ == "__main__":
    main()
