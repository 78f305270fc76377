"""Make the training file of a run: `python recipes/mix.py facets.jsonl qa.jsonl > training.jsonl`.

What is taken, and why:

- At most 1,500 lines of each source of facets.jsonl, so that no domain dominates, and at most 800 of each source
  that was composed from sentence templates, whose wording a model would otherwise memorize. Within a source, each
  facet gets an equal share as far as it has lines: users ask for facets.
- About a third as many lines of qa.jsonl, so that the model still names people, places and reasons. Left out are
  sources whose sentences are ungrammatical or whose questions no user asks (pronoun puzzles, cloze tasks, bare
  predicates, tables). Texts are short, because prompts are cut after 144 tokens and the answer may be in the rest;
  answers are as short as those of facets.jsonl.
- A few hundred lines that ask for the language, spread over languages: the question is easy, and most sources
  have it.
- No labels that labellers disagree about or that a text does not tell: polarity in languages that the base hardly
  reads, how calm or well formed a sentence is, offence, sarcasm, and who wrote, painted or said something. What
  they can teach is to guess. Feelings are as uncertain, but a run without them read feelings worse.
- No label sets whose labels begin alike ("get a quote", "get a card"): the vector is read from the first word.
- Questions with two to four answers name them ("What is the sentiment? (negative / positive)"): otherwise the
  label sets of several sources would answer the same question.
- The lines with the answer "not mentioned", 2 to 3 % of all. With `--unanswerable 0.01` in training, which pairs
  open questions with texts that do not answer them, they become 3 to 4 %: enough to learn that a text may not say,
  too few to make it the easy answer.
- Answers in lower case unless they are names: the first letter is lowered where texts write the word so. Answers
  with an underscore are codes, and are left out.

With `--english`, for a base that reads nothing else, the sources in other languages are left out, unless they ask
for the language; labels are not named in the question, and no label set is left out for how its labels begin.

With `--plain` every label is taken as it is, also unclear ones; with `--english` too, those of English sources.

Choice and order depend on hashes of the lines only. `mix.py --lines 200 facets-dev.jsonl > dev.jsonl` makes a
small file to watch the loss on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Row = dict[str, str]

PER_SOURCE = 1500
PER_COMPOSED = 800
LANGUAGES = 300
QA_SHARE = 1 / 3
LONGEST_TEXT = 75  # words, of questions and answers
LONGEST_ANSWER = 5  # words
NOT_MENTIONED = "not mentioned"
LEFT_OUT = re.compile(
    r"event2mind|atomic|ni_winogrande|gap_coref|ni_qasc|qasrl|ni_multirc|propara|torque|tatqa", re.ASCII
)
FEW_LABELS = 4  # are named in the question
TOLD = 0.89  # least share of the labels' entropy that their first words keep
UNCLEAR = re.compile(
    r"(afrisenti|arsarcasm|mustard|korean_hate|germeval2018|told_br|davidson_tweets|vicomtech_hate|us_speeches"
    r"|shakespeare):|xed:sentiment|emobank:arousal"
    r"|wisesight_thai:sentiment|(tate|cmoa):(artist|period)|tech_debt:software project"
    r"|query_wellformed:well formed",
    re.ASCII,
)
FOREIGN = re.compile(
    r"multilingual_hatecheck|nsmc_korean|korean_chat|wisesight_thai|xquad_(?:de|es|ro)|indonesian_aspects|told_br|afrisenti"
    r"|arsarcasm|korean_hate|germeval|vicomtech|xsid",
    re.ASCII,
)
EMPTY = frozenset("i you he she it we they me him her us them his my our your this that these those one".split())
WORD = re.compile(r"[^\W\d_][\w'’-]*")
CAPITALISED = re.compile(r"[A-Z][a-z’'-]*")
SENTENCE_END = re.compile(r"[.!?:;\"“”()\[\]\n]\s*$")


def main() -> None:
    """Write the mix to standard output, and its counts to standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("facets", type=Path)
    parser.add_argument("qa", type=Path, nargs="?")
    parser.add_argument("--lines", type=int, help="keep only the first N lines of the result")
    parser.add_argument("--english", action="store_true", help="leave out sources in other languages")
    parser.add_argument("--plain", action="store_true", help="take all labels as they are, also unclear ones")
    options = parser.parse_args()
    facets, qa = read(options.facets), read(options.qa) if options.qa else []
    if not options.english and not options.plain:
        facets, qa = with_labels_named(told_by_first_words(clear(facets))), told_by_first_words(clear(qa))
    small = lowercase_words(row["input"] for row in (*facets, *qa))
    kept = take_facets(facets)
    kept += take_qa(qa, round(QA_SHARE * len(kept)))
    for row in kept:
        row["output"] = lower_first(row["output"], small, alone="facet" not in row)
    rows = sorted(without_repeats(kept), key=sort_key)
    if options.english:
        rows = english(rows if options.plain else clear(rows))
    rows = rows[: options.lines]
    write(rows, sys.stdout)
    report(rows, sys.stderr)


def clear(rows: Iterable[Row]) -> list[Row]:
    """Return the lines whose labels a text tells."""
    return [row for row in rows if not UNCLEAR.match(label_set(row))]


def english(rows: Iterable[Row]) -> list[Row]:
    """Return the lines of English sources, and those that ask for the language."""
    return [row for row in rows if row.get("facet") == "language" or not FOREIGN.search(row["source"])]


def label_set(row: Row) -> str:
    """Return the name of the labels that a line has one of."""
    return f"{row['source']}:{row.get('facet', '')}"


def told_by_first_words(rows: Sequence[Row]) -> list[Row]:
    """Return the lines without the label sets whose labels begin alike.

    >>> rows = [{"source": "a", "output": output} for output in ("get a card", "get a quote", "pay")]
    >>> len(told_by_first_words(rows)), len(told_by_first_words(rows[1:]))
    (0, 2)
    """
    kept: list[Row] = []
    for found in grouped(rows, label_set).values():
        answers = [re.sub(r"^(the|an?) (?=.)", "", row["output"].casefold()) for row in found]
        kept += found if entropy(answer.split()[0] for answer in answers) >= TOLD * entropy(answers) else []
    return kept


def entropy(values: Iterable[str]) -> float:
    """Return the entropy of values, in bits."""
    counts = Counter(values)
    total = sum(counts.values())
    return sum(count / total * math.log2(total / count) for count in counts.values())


def with_labels_named(rows: Sequence[Row]) -> list[Row]:
    """Return the lines with the labels in the question where they are few, in an order of the text's own."""
    labels = {
        name: {row["output"] for row in found if row["output"] != NOT_MENTIONED}
        for name, found in grouped(rows, label_set).items()
    }
    named = []
    for row in rows:
        few = labels[label_set(row)]
        if 1 < len(few) <= FEW_LABELS and row["output"] in few:
            keys = {sort_key({"instruction": label, "input": row["input"]}): label for label in few}
            ordered = [keys[key] for key in sorted(keys)]
            row = row | {"instruction": f"{row['instruction']} ({' / '.join(ordered)})"}
        named.append(row)
    return named


def take_facets(rows: Sequence[Row]) -> list[Row]:
    """Return the lines taken from facets.jsonl."""
    languages = [row for row in rows if row["facet"] == "language"]
    others = [row for row in rows if row["facet"] != "language"]
    kept = balanced(languages, lambda row: row["output"], LANGUAGES)
    taken = Counter(row["source"] for row in kept)
    for source, found in grouped(others, lambda row: row["source"]).items():
        most = PER_COMPOSED if source.startswith("composed_") else PER_SOURCE
        kept += balanced(found, lambda row: row["facet"], most - taken[source])
    return kept


def take_qa(rows: Sequence[Row], most: int) -> list[Row]:
    """Return the lines taken from qa.jsonl, spread evenly over its sources."""
    fitting = [
        row
        for row in rows
        if not LEFT_OUT.match(row["source"])
        and len(row["input"].split()) <= LONGEST_TEXT
        and len(row["output"].split()) <= LONGEST_ANSWER
        and row["output"].lower() not in EMPTY
    ]
    return balanced(fitting, lambda row: row["source"], most)


def balanced(rows: Sequence[Row], kind: Callable[[Row], str], most: int) -> list[Row]:
    """Return at most `most` lines, spread evenly over kinds; small kinds are kept whole.

    >>> rows = [{"input": str(i), "instruction": "", "output": "ab"[i > 1]} for i in range(9)]
    >>> sorted(Counter(row["output"] for row in balanced(rows, lambda row: row["output"], 6)).items())
    [('a', 2), ('b', 4)]
    """
    kept: list[Row] = []
    groups = sorted(grouped(rows, kind).values(), key=len)
    for i, group in enumerate(groups):
        share = (most - len(kept)) // (len(groups) - i)
        kept += sorted(group, key=sort_key)[:share]
    return kept


def grouped(rows: Iterable[Row], kind: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Return the lines of each kind."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[kind(row)].append(row)
    return dict(groups)


def sort_key(row: Row) -> bytes:
    """Return the sort key of a line: a hash, so that the order of the files does not matter."""
    content = "\0".join((row["instruction"], row["input"]))
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def without_repeats(rows: Iterable[Row]) -> list[Row]:
    """Return the lines without a second answer to the same question about the same text."""
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        first.setdefault((row["input"].casefold(), row["instruction"].casefold()), row)
    return list(first.values())


def lowercase_words(texts: Iterable[str]) -> frozenset[str]:
    """Return the words that are in lower case more often than capitalized within a sentence."""
    counts: Counter[str] = Counter()
    for text in set(texts):
        for found in WORD.finditer(text):
            word = found[0]
            if word.islower():
                counts[word] += 1
            elif CAPITALISED.fullmatch(word) and found.start() and not SENTENCE_END.search(text, 0, found.start()):
                counts[word.lower()] -= 1
    return frozenset(word for word, balance in counts.items() if balance > 0)


def lower_first(answer: str, small: frozenset[str], *, alone: bool) -> str:
    """Return an answer with its first word in lower case unless it is a name.

    :param alone: whether single words are lowered, too; not where they were chosen by hand ("Go" is a language).

    >>> small = frozenset({"professional", "curiosity", "color", "purple", "go"})
    >>> lower_first("Professional curiosity", small, alone=False)
    'professional curiosity'
    >>> lower_first("Color Purple", small, alone=True), lower_first("Go", small, alone=False)
    ('Color Purple', 'Go')
    """
    answer = answer.strip()
    if answer.count(".") == 1:
        answer = answer.removesuffix(".")
    first, gap, rest = answer.partition(" ")
    goes_on = rest == rest.lower() and bool(WORD.search(rest)) if rest else alone
    if goes_on and CAPITALISED.fullmatch(first) and first.lower() in small:
        return first.lower() + gap + rest
    return answer


def read(file: Path) -> list[Row]:
    """Return the lines of a file whose answers are words."""
    with file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    return [row for row in rows if "_" not in row["output"]]


def write(rows: Iterable[Row], stream: TextIO) -> None:
    """Write lines with the fields that training reads."""
    for row in rows:
        line = {name: row[name] for name in ("input", "instruction", "output", "source")}
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def report(rows: Sequence[Row], stream: TextIO) -> None:
    """Write the number of lines by source, and the share of special answers."""
    for source, count in sorted(Counter(row["source"] for row in rows).items()):
        stream.write(f"{count:6,}  {source}\n")
    silent = sum(row["output"] == NOT_MENTIONED for row in rows)
    languages = sum(row.get("facet") == "language" for row in rows)
    stream.write(f"{len(rows):6,}  in all; {silent:,} not mentioned ({silent / max(1, len(rows)):.1%}), ")
    stream.write(f"{languages:,} ask for the language\n")


if __name__ == "__main__":
    main()
