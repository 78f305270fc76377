"""Build the training file of the bundled default from (input, instruction, output, source) rows.

    python prepare.py qa.jsonl > training.jsonl

The script keeps short texts of the sources whose questions resemble those that people ask of their tables. From
what each source is, it derives further questions: the language of a text, the kind of text, sentiment, likes
and dislikes, and the subject of requests, reviews and encyclopedia passages. Passages exist in four languages,
but their subjects are given in English, so that a subject does not depend on the language. Passages are also
rewritten as poems, screenplays, letters and so on (forms.py), and customer messages are composed from phrases
(messages.py), so that the properties of a text vary independently. Rows are shuffled with a fixed seed. No
model is used.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import defaultdict
from pathlib import Path

from forms import FORMS, WHICH_FORM
from messages import ASKS, SENTIMENT, message

LONGEST = 60  # words of a text
LEFT_OUT = {"ni_winogrande", "gap_coref", "torque", "propara", "tatqa", "covid_qa", "friendsqa", "fairytaleqa"}
MOST = {"qadiscourse": 400, "qasrl_gs": 600, "ecare_causal": 800, "ni_multirc_sentence": 1200, "qamr": 3500}
MOST |= {"ni_qasc": 1200, "atomic_devtest": 1200, "event2mind": 2500, "medquad": 800, "sgd_slots": 1800}
MOST |= {"sgd_intent": 1800, "hwu64_nlu": 3000, "snips_nlu": 1500, "restaurant8k": 500}
MOST |= {"semeval10_relations": 2500}

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

# The grouping of the GoEmotions paper (Demszky et al. 2020).
GOOD = set("admiration amusement approval caring excitement gratitude joy love optimism pride relief".split())
BAD = set("anger annoyance disappointment disapproval disgust embarrassment fear".split())
BAD |= set("grief nervousness remorse sadness".split())
UNCLEAR = set("confusion curiosity realization surprise".split())
# What people feel in event2mind and atomic.
GOOD |= set(
    "desire happy satisfied good grateful relieved excited proud accomplished thankful pleased loved".split()
)
GOOD |= set("joyful content hopeful glad appreciative confident impressed entertained".split())
BAD |= set("sad angry upset annoyed bad worried scared nervous guilty tired embarrassed hurt disappointed".split())
BAD |= set("frustrated ashamed afraid regretful mad anxious jealous lonely".split())
# A question, and its words for good, bad, neither and unclear; None: not an answer to it.
POLES = ("positive", "negative", "neutral", "ambiguous")
OPINIONS = (
    ("What is the sentiment: positive, negative or neutral?", ("positive", "negative", "neutral", None)),
    ("What is the sentiment of this text?", ("positive", "negative", "neutral", None)),
    ("Is the writer positive or negative?", ("positive", "negative", None, None)),
    ("What is the tone of the message?", ("positive", "negative", "neutral", None)),
    ("Is this feeling positive, negative, neutral or ambiguous?", POLES),
    ("What does the author think about it?", ("good", "bad", "neutral", None)),
    ("How does the writer feel about it?", ("good", "bad", "neutral", None)),
    ("Does the writer like it or dislike it?", ("like", "dislike", None, None)),
    ("Is the speaker happy or unhappy?", ("happy", "unhappy", None, None)),
    ("Is this praise or criticism?", ("praise", "criticism", None, None)),
    ("Is the customer satisfied?", ("satisfied", "dissatisfied", "neutral", None)),
)
FEELINGS = ("Does the person feel good or bad?", ("good", "bad", None, None))
LIKED = ("What does the customer like?", "What is the reviewer happy with?", "What is praised?")
DISLIKED = ("What does the customer dislike?", "Why is the customer unhappy?", "What is criticised?")
ASPECT = re.compile(r"(?:towards|about|of) the (.+?)(?: positive, negative or neutral)?\?$")

SUBJECTS = {"mams": "restaurant", "e2e_restaurants": "restaurant", "medical_abstracts": "medicine"}
SUBJECTS |= {"tatqa": "finance", "covid_qa": "virus", "restaurant8k": "table booking", "medquad": "disease"}
WHAT_ABOUT = ("What is the text about?", "What is the topic?", "What is the main subject of the text?")
WHICH_FIELD = ("Which field does the text belong to?", "What is the general topic?", "What area is this about?")

# The articles of XQuAD: subject, field, and words that occur in their passages only.
ARTICLES = (
    ("football", "sports", "Super Bowl|Broncos|Panthers|Carolina|Manning|touchdown"),
    ("Warsaw", "cities", "Warsaw|Warszawa"),
    ("Normans", "history", "Norman"),
    ("Nikola Tesla", "inventors", "Tesla"),
    ("computational complexity", "mathematics", "complexity|Turing machine|polynomial|algorithm|computational"),
    ("prime numbers", "mathematics", "prime|p-adic|number theory|norm gets"),
    ("teachers", "education", "teacher|teaching"),
    ("private schools", "education", "private school|independent school|tuition"),
    ("Harvard", "education", "Harvard"),
    ("Martin Luther", "religion", "Luther"),
    ("Huguenots", "religion", "Huguenot"),
    ("Methodists", "religion", "Methodis|UMC|Wesley"),
    ("Islamism", "religion", "Islam|Muslim|jihad"),
    ("California", "geography", "California|San Diego|Los Angeles"),
    ("Victoria", "geography", "Victoria(?! and)|Melbourne|Australia"),
    ("Fresno", "cities", "Fresno"),
    ("Jacksonville", "cities", "Jacksonville"),
    ("Newcastle", "cities", "Newcastle|Tyne"),
    ("Amazon rainforest", "nature", "Amazon|rainforest"),
    ("comb jellies", "biology", "[Cc]tenophor|jellies|Beroe|tentacl"),
    ("Rhine", "geography", "Rhine"),
    ("steam engine", "technology", "steam|Rankine|boiler"),
    ("oxygen", "chemistry", "[Oo]xygen|O2"),
    ("oil crisis", "economy", "oil|OPEC|Nissan|Toyota|embargo"),
    ("European law", "law", "European Union|TFEU|Treaty|Court of Justice|European Com|member state"),
    ("packet switching", "technology", "packet|network|ARPANET|Telenet"),
    ("plague", "history", "plague|Black Death"),
    ("geology", "science", "geolog|rock|stratigra|sediment"),
    ("pharmacy", "medicine", "[Pp]harmac|drug|medication"),
    ("immune system", "medicine", "immune|pathogen|antibod|T cell|B cell"),
    ("chloroplasts", "biology", "[Cc]hloroplast|thylakoid|photosynth|cyanobacteria"),
    ("civil disobedience", "politics", "civil disobedience|disobedien|Civil Disobedience"),
    ("economic inequality", "economy", "inequality|income|wealth"),
    ("Doctor Who", "television", "Doctor|Dalek|TARDIS"),
    ("ABC television", "television", "ABC|network's|American Broadcasting|Disney"),
    ("Sky television", "television", "BSkyB|Sky|Virgin Media"),
    ("Yuan dynasty", "history", "Yuan|Kublai|Mongol"),
    ("Genghis Khan", "history", "Genghis|Temüjin|Ögedei|Jochi"),
    ("Kenya", "geography", "Kenya|Nairobi|Mombasa"),
    ("climate change", "science", "IPCC|[Cc]limate"),
    ("Scottish Parliament", "politics", "Scottish|Scotland|MSP|Holyrood"),
    ("imperialism", "history", "[Ii]mperialis|colonial|empire|Royal Geographical"),
    ("forces", "physics", "force|Newton's|gravity|momentum|magnetic"),
    ("Apollo program", "space", "Apollo|NASA|Moon|lunar|astronaut"),
    ("museum", "art", "[Mm]useum|collection|gallery|V&A"),
)


def main() -> None:
    """Read rows from the file named on the command line, and print the training rows."""
    rng = random.Random(0)
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    by_source = defaultdict(list)
    for row in rows:
        by_source[row["source"]].append(row)
    kept = chosen(by_source, rng) + sentences_in_four_languages(by_source) + passages(by_source, rng)
    kept += languages(by_source, rng) + kinds(by_source, rng) + kinds_to_choose_from(by_source, rng)
    kept += opinions(by_source, rng) + feelings(by_source, rng) + likes(by_source, rng) + subjects(by_source, rng)
    kept += nothing_felt(by_source, rng) + forms(by_source, rng) + customers(rng)
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
    """Return the questions about passages in four languages, each with the one sentence that answers it."""
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
    """Return rows that ask for the language of a sentence."""
    kept = []
    for source, language in PARALLEL.items():
        texts = {row["input"] for row in by_source[source]}
        found = sorted({s for text in texts for s in sentences(text) if 5 <= len(s.split()) <= 30})
        kept += [
            made(s, rng.choice(WHICH_LANGUAGE), language, source) for s in rng.sample(found, min(60, len(found)))
        ]
    for source in ENGLISH:
        kept += [
            made(r["input"], rng.choice(WHICH_LANGUAGE), "English", source)
            for r in rng.sample(by_source[source], 12)
        ]
    return kept


def articles(by_source: dict) -> list[tuple[str, str, tuple[str, str, str]]]:
    """Return source, passage and article, for passages whose words identify the article."""
    article = {}
    for row in by_source["xquad_en"]:
        counts = [(len(re.findall(words, row["input"])), i) for i, (_, _, words) in enumerate(ARTICLES)]
        (most, i), (second, _) = sorted(counts, reverse=True)[:2]
        if most >= 2 and most > second:
            article[row["instruction"]] = i
    found = []
    for source in PARALLEL:
        known = {
            row["input"]: article[row["instruction"]] for row in by_source[source] if row["instruction"] in article
        }
        found += [(source, text, ARTICLES[i]) for text, i in known.items()]
    return found


def passages(by_source: dict, rng: random.Random) -> list[dict]:
    """Return rows that ask for the subject and the field of passages in four languages; answers are English."""
    kept = []
    for source, text, (subject, field, _) in articles(by_source):
        kept.append(made(extract(text, 3, rng), rng.choice(WHAT_ABOUT), subject, source))
        kept.append(made(extract(text, 3, rng), rng.choice(WHICH_FIELD), field, source))
    return kept


def extract(text: str, count: int, rng: random.Random) -> str:
    """Return `count` consecutive sentences of a text."""
    parts = sentences(text)
    start = rng.randrange(max(1, len(parts) - count + 1))
    return " ".join(" ".join(parts[start : start + count]).split()[:LONGEST])


def kinds(by_source: dict, rng: random.Random) -> list[dict]:
    """Return rows that ask for the kind of text, each with one or two sentences of a source."""
    kept = []
    for source, kind in KINDS.items():
        for row in rng.sample(by_source[source], min(100, len(by_source[source]))):
            kept.append(made(extract(row["input"], 2, rng), rng.choice(WHICH_KIND), kind, source))
    return kept


def kinds_to_choose_from(by_source: dict, rng: random.Random) -> list[dict]:
    """Return the same for questions that list four kinds to choose from."""
    sources = defaultdict(list)
    for source, kind in KINDS.items():
        sources[kind].append(source)
    kept = []
    for opening in ("Which of these is the text: ", "Which kind of writing is it: ") * 5:
        named = rng.sample(sorted(sources), 4)
        with_article = [("an " if kind[0] in "aeiou" else "a ") + kind for kind in named]
        question = f"{opening}{', '.join(with_article[:3])} or {with_article[3]}?"
        for kind in named:
            for _ in range(20):
                source = rng.choice(sources[kind])
                row = rng.choice(by_source[source])
                kept.append(made(extract(row["input"], 2, rng), question, kind, source))
    return kept


def opinions(by_source: dict, rng: random.Random) -> list[dict]:
    """Return rows that ask for the sentiment of a comment, each in two wordings."""
    kept = []
    for row in by_source["goemotions"]:
        for question, answers in rng.sample(OPINIONS, 3):
            if answer := answers[side(row["output"])]:
                kept.append(made(row["input"], question, answer, "goemotions"))
    return rng.sample(kept, 8000)


def feelings(by_source: dict, rng: random.Random) -> list[dict]:
    """Return rows that ask how people feel about an event, without their names."""
    kept = []
    for source in ("event2mind", "atomic_devtest"):
        for row in by_source[source]:
            if not re.match("How (does|do) .* feel", row["instruction"]):
                continue
            kept.append(made(row["input"], "How does the person feel?", row["output"], source))
            words = [word for word in re.findall(r"\w+", row["output"].lower()) if word in GOOD | BAD]
            if words and (answer := FEELINGS[1][side(words[0])]):
                kept.append(made(row["input"], FEELINGS[0], answer, source))
    return rng.sample(kept, min(1500, len(kept)))


def side(feeling: str) -> int:
    """Return the index of a feeling in `POLES`: good, bad, neither or unclear."""
    return 0 if feeling in GOOD else 1 if feeling in BAD else 3 if feeling in UNCLEAR else 2


def likes(by_source: dict, rng: random.Random) -> list[dict]:
    """Return rows that ask what a reviewer likes or dislikes."""
    kept = []
    for row in by_source["mams"]:
        if (aspect := ASPECT.search(row["instruction"])) and row["output"] in ("positive", "negative"):
            questions = LIKED if row["output"] == "positive" else DISLIKED
            kept.append(made(row["input"], rng.choice(questions), aspect[1], "mams"))
    return kept


def subjects(by_source: dict, rng: random.Random) -> list[dict]:
    """Return rows that ask for the subject of reviews, abstracts and requests, taken from their source."""
    kept = []
    for source, subject in SUBJECTS.items():
        for row in rng.sample(by_source[source], min(60, len(by_source[source]))):
            kept.append(made(" ".join(row["input"].split()[:LONGEST]), rng.choice(WHAT_ABOUT), subject, source))
    for row in by_source["sgd_domain"]:
        kept.append(made(row["input"], rng.choice(WHAT_ABOUT), row["output"], "sgd_domain"))
    return kept


def nothing_felt(by_source: dict, rng: random.Random) -> list[dict]:
    """Return rows in which facts and requests are neutral, for questions that allow this answer."""
    allowing = [(question, answers[2]) for question, answers in OPINIONS if answers[2]]
    kept = []
    for source in ("hwu64_nlu", "snips_nlu", "sgd_slots", "restaurant8k", "xquad_en", "qamr", "ni_qasc"):
        for row in rng.sample(by_source[source], 60):
            question, answer = rng.choice(allowing)
            kept.append(made(extract(row["input"], 2, rng), question, answer, source))
    return kept


def forms(by_source: dict, rng: random.Random) -> list[dict]:
    """Return rewritten texts with questions about their form, subject and language."""
    naming = {}
    for opening in ("What form of writing is this: ", "Which style is the text: ", "What is this, ", "Is it ") * 4:
        named = [("an " if form[0] in "aeiou" else "a ") + form for form in rng.sample(sorted(FORMS), 4)]
        naming[f"{opening}{', '.join(named[:3])} or {named[3]}?"] = {form.split(" ", 1)[1] for form in named}
    texts = [row for row in articles(by_source) for _ in range(2)]
    for source in ("qamr", "ecare_causal", "ni_qasc", "fairytaleqa", "torque", "goemotions", "medquad"):
        texts += [(source, row["input"], ("", "", "")) for row in rng.sample(by_source[source], 120)]
    kept = []
    for source, text, (subject, field, _) in texts:
        form = rng.choice(sorted(FORMS))
        language = PARALLEL.get(source, "English")
        parts = sentences(extract(text, rng.randint(2, 3), rng))
        written = FORMS[form](parts, language, rng)
        kept.append(made(written, rng.choice(WHICH_FORM), form, source))
        kept.append(made(written, rng.choice([q for q, named in naming.items() if form in named]), form, source))
        if subject:
            kept.append(made(written, rng.choice(WHAT_ABOUT), subject, source))
            kept.append(made(written, rng.choice(WHICH_FIELD), field, source))
        if rng.random() < 0.1:
            kept.append(made(written, rng.choice(WHICH_LANGUAGE), language, source))
    return kept


def customers(rng: random.Random) -> list[dict]:
    """Return composed customer messages with questions about each of their properties."""
    kept = []
    for _ in range(2500):
        text, facts = message(rng)
        for key in rng.sample(sorted(facts), min(3, len(facts))):
            question = rng.choice(ASKS[key])
            answer = SENTIMENT[facts[key]] if "satisfied" in question else facts[key]
            kept.append(made(text, question, answer, "made_up"))
    return kept


def made(text: str, instruction: str, output: str, source: str) -> dict:
    """Return a row."""
    return {"input": text, "instruction": instruction, "output": output, "source": source}


if __name__ == "__main__":
    main()
