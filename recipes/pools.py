"""Make questions without answers for a teacher: `python pools.py facets.jsonl qa.jsonl > pools.jsonl`.

A pool is 32 texts under one question, from which a student learns how alike their answers are. The questions are
those of facets.jsonl, put to other texts than there: what a text feels, is about, is for, complains of or asks for
can be asked of most texts of a kind, whatever its source is labeled with. What is taken, and why:

- English texts of 4 to 75 words, evenly from each source: the small student reads no other language, and prompts
  are cut after 144 tokens. No sources of hate or spam, of code, of single words, or with gaps in their sentences.
- `ASPECTS` says which facets lend their wordings, and to which kinds of texts. They are those that most texts of
  the kind have: a teacher that is asked who wrote a job description, or when it happened, makes something up.
- Only wordings that ask (`ASKING`). To "Sort these by ..." or "Product?" the teacher says "yes" or repeats a word
  of the question, in up to 96 of 100 texts (4,587 labels of a first try). Those that name choices are left out:
  the choices are those of their own source.
- A few questions about reasons (`REASONS`) are written for this file: those of facets.jsonl name a guest or a
  customer. Each text has a reason of its own, so only a teacher can say which are alike.
- Two of three pools are texts of one source, as the files of users are; the third mixes sources of a kind.
- Each text gets about four questions (`ASKED`) of different aspects: texts with several answers teach the student
  to look for the one that is asked for.

Choice and order depend on hashes of the lines only. The pools of each aspect take turns, so the beginning of the
file is a small copy of the whole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

POOL = 32
ASKED = 4
MIXED = 3  # every third pool mixes sources
WORDS = range(4, 76)
KINDS = {
    "opinions": "uci_sentences composed_tickets composed_reviews composed_survey cfpb_complaints mams",
    "talk": "goemotions topical_chat broad_twitter xed emobank email_intent ukp_convincing "
    "wnut17_entities mustard",
    "requests": "bitext_support nlupp star_dialogues taskmaster_coffee dstc11_insurance sgd_intent hwu64_nlu "
    "snips_nlu sgd_slots casino",
    "reports": "crossner wikipedia_movies world_factbook medal_of_honor cisa_kev disease_ontology mitre_attack "
    "us_product_recalls nasa_software open_source_apps qadiscourse us_speeches clickbait recipes_pd medquad "
    "ud_ewt_genre onet_occupations qamr",
}
REASONS = {
    "cause": (
        "Why?",
        "What is the reason?",
        "Why did it happen?",
        "What caused it?",
        "What led to this?",
        "What explains it?",
        "What is the reason that is given?",
    ),
    "motive": (
        "Why does the writer say this?",
        "What is the motive behind it?",
        "What does the writer hope for?",
        "Why was it written?",
        "What is the point?",
        "What is at stake?",
        "What moves the writer?",
    ),
}
# Facets whose wordings are asked, and the kinds of texts they are put to.
ASPECTS = {
    "feeling": ("emotion|tone|valence", "opinions talk"),
    "opinion": ("sentiment", "opinions talk"),
    "topic": ("general subject|conversation theme", "opinions talk requests reports"),
    "purpose": ("dialogue act|customer intent|user task", "requests"),
    "speech act": ("dialogue act", "talk"),
    "problem": ("complaint|aspect criticised|main concern", "opinions"),
    "cause": ("", "opinions talk reports"),
    "motive": ("", "opinions talk"),
    "request": ("desired outcome|request action", "opinions requests"),
    "thing": ("product concerned|review subject", "opinions requests"),
    "place": ("place mentioned|where it happened", "talk requests reports"),
    "style": ("register", "talk opinions"),
}
ASKING = re.compile(
    r"(what|which|why|how|where|in what|in which|tell me|give|name|determine|identify) \S|why\?", re.IGNORECASE
)
CHOICE = re.compile(r"\bor\b|\bfrom\b|^(is|are|do|does|did|can|would|should|in how far) ", re.IGNORECASE)
ENGLISH = frozenset(
    "the and to of is that it for with you this was are have has my we be on not i a in as at".split()
)


class Text(NamedTuple):
    """A text and where it is from."""

    text: str
    source: str


def main() -> None:
    """Write the pools to standard output, and their counts to standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("facets", type=Path)
    parser.add_argument("qa", type=Path, nargs="?")
    parser.add_argument("--size", type=int, default=100_000, help="number of lines (default: 100,000)")
    options = parser.parse_args()
    rows = list(read(options.facets))
    wordings = wordings_of(rows)
    texts = texts_of([*rows, *(read(options.qa) if options.qa else ())])
    chosen = balanced(texts, -(-options.size // ASKED))
    counts: Counter[str] = Counter()
    for aspect, question, pool in pools(chosen, wordings, options.size):
        for text in pool:
            line = {"input": text.text, "instruction": question, "source": text.source}
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        counts[aspect] += len(pool)
    for aspect, count in counts.most_common():
        sys.stderr.write(f"{count:7,}  {aspect}\n")
    sys.stderr.write(f"{sum(counts.values()):7,}  lines about {len(chosen):,} texts\n")


def wordings_of(rows: Iterable[dict[str, str]]) -> dict[str, list[str]]:
    """Return the questions of each aspect, in the order of their hashes.

    The more frequent wordings of a facet are those of its own. Of the others, which are patterns filled with its
    name ("Tell me the topic."), there are a third as many.
    """
    by_facet: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        by_facet[row["facet"]][row["instruction"]] += 1
    found: dict[str, set[str]] = {aspect: set(REASONS.get(aspect, ())) for aspect in ASPECTS}
    for aspect, (facets, _) in ASPECTS.items():
        for facet in facets.split("|") if facets else ():
            counts = by_facet[facet]
            asking = [wording for wording in counts if ASKING.match(wording) and not CHOICE.search(wording)]
            own = {wording for wording in asking if counts[wording] * len(counts) > counts.total()}
            patterns = sorted(set(asking) - own, key=sort_key)
            found[aspect] |= own | set(patterns[: -(-len(own) // 3)])
    return {aspect: sorted(wordings, key=sort_key) for aspect, wordings in found.items()}


def texts_of(rows: Iterable[dict[str, str]]) -> dict[str, list[Text]]:
    """Return the English texts of each source, in the order of their hashes."""
    known = {source for sources in KINDS.values() for source in sources.split()}
    first: dict[str, Text] = {}
    for row in rows:
        text = row["input"].strip()
        if row["source"] in known and len(text.split()) in WORDS and is_english(text):
            first.setdefault(text.casefold(), Text(text, row["source"]))
    by_source: dict[str, list[Text]] = defaultdict(list)
    for text in sorted(first.values(), key=lambda text: sort_key(text.text)):
        by_source[text.source].append(text)
    return dict(by_source)


def is_english(text: str) -> bool:
    """Return whether a text is likely to be English.

    >>> is_english("What is the weather like in Oslo?"), is_english("Wie ist das Wetter in Oslo?")
    (True, False)
    """
    words = re.findall(r"[^\W\d_]+", text.lower())
    return sum(word in ENGLISH for word in words) >= 0.15 * len(words) + 0.5 and text.isascii()


def balanced(by_source: dict[str, list[Text]], most: int) -> list[Text]:
    """Return at most `most` texts, spread evenly over sources; small sources are taken whole."""
    chosen: list[Text] = []
    groups = sorted(by_source.values(), key=lambda group: (len(group), group[0].source))
    for i, group in enumerate(groups):
        chosen += group[: (most - len(chosen)) // (len(groups) - i)]
    return chosen


def pools(
    texts: Sequence[Text], wordings: dict[str, list[str]], size: int
) -> Iterator[tuple[str, str, list[Text]]]:
    """Yield aspect, question and texts of pools, until there are `size` lines or no more texts."""
    turns = {aspect: cut(aspect, texts) for aspect in ASPECTS}
    questions = {aspect: cycle(wordings[aspect]) for aspect in ASPECTS}
    left = size
    while turns:
        for aspect in list(turns):
            pool = next(turns[aspect], None)
            if pool is None:
                del turns[aspect]
            elif left <= 0:
                return
            else:
                yield aspect, next(questions[aspect]), pool[:left]
                left -= len(pool)


def cut(aspect: str, texts: Sequence[Text]) -> Iterator[list[Text]]:
    """Yield the pools of an aspect; no text is in two of them."""
    parts: list[list[Text]] = []
    for kind in ASPECTS[aspect][1].split():
        mixed: list[Text] = []
        for source in KINDS[kind].split():
            group = sorted(
                (text for text in texts if text.source == source), key=lambda t: sort_key(aspect, t.text)
            )
            n_alone = len(group) * (MIXED - 1) // MIXED // POOL * POOL
            parts += [group[start : start + POOL] for start in range(0, n_alone, POOL)]
            mixed += group[n_alone:]
        mixed.sort(key=lambda text: sort_key("mixed", aspect, text.text))
        parts += [mixed[start : start + POOL] for start in range(0, len(mixed) - POOL + 1, POOL)]
    yield from sorted(parts, key=lambda pool: sort_key(aspect, pool[0].text))


def sort_key(*values: str) -> bytes:
    """Return a hash as the key of an order that does not depend on the order of files."""
    content = "\0".join(values).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=16).digest()


def read(file: Path) -> Iterator[dict[str, str]]:
    """Yield the lines of a file."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


if __name__ == "__main__":
    main()
