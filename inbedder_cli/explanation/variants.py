"""Answers that mean the same, written differently -> one form: "e-bikes", "ebike" and "the E-bike" are "e-bike".

Words are compared by their letters. The model's own vectors may only confirm what the letters suggest: alone they
would put "film" and "screenplay", or "species" and "insects", together.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.preprocess import sample_indices
from inbedder_cli.explanation.stop_words import NEGATIONS, fold_text, word_pattern
from inbedder_cli.explanation.yes_no import merge_yes_no

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    IsNear = Callable[[str, str], bool]
    Vectors = npt.NDArray[np.float32]

ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\w)")
EDGES = " .,;:!?\"'`“”…"  # of an answer; "C++" and "5%" keep theirs
UNJOINED = re.compile(r"..\s")  # "in action" is not "inaction"
# Not the plurals of the words they seem to be the plurals of
NO_PLURALS = frozenset("arms customs glasses goods means news rights windows".split())
NO_PLURAL_ENDINGS = ("ss", "us", "is")
LEAST_PLURAL = 4  # letters
LEAST_TYPO = 6  # letters; shorter words have real neighbors: "house", "horse"
MOST_LETTERS = 60  # of a word that may be a typo, and of an answer that continues another one
LEAST_SUBSTITUTION = 8  # letters, where the typo is a wrong letter: "massage" is none of "message"
FREQUENT = 3  # rows with a form that rarer ones are counted with, if they may be typos
MOST_NEAR = 100  # words that differ in one letter at one place, of which none is the right one
RARE = 3  # times rarer than that form
LEAST_BEGINNING = 4  # letters of an answer that another one continues
NEAR = 0.8  # cosine of the mean vectors of two such answers, from which they are one
QUARTILE = 0.25
MOST_COMPARED = 10_000  # rows of a word or an answer whose vectors are compared with those of another


def unify_answers(answers: Sequence[str], instruction: str = "", vectors: Vectors | None = None) -> list[str]:
    """Return the answers as they are counted: those that mean the same are the same.

    :param answers: one per row.
    :param instruction: the question; one for yes or no gets these (`yes_no.merge_yes_no`).
    :param vectors: see `canonical_answers`.
    :return: one answer per row.
    """
    return canonical_answers(merge_yes_no(answers, instruction), vectors)


def canonical_answers(answers: Sequence[str], vectors: Vectors | None = None) -> list[str]:
    """Return each answer in the most frequent of the forms that mean the same, in lower case.

    Forms differ in case, white space, leading articles, hyphens, grammatical number, a typo in a rare word; and,
    where there are vectors, in an ending ("southwest", "southwestair"), if the vectors of both are alike. Numbers
    and negations are never changed. The result does not depend on the order of the rows, unless more than 10,000
    share a word: of these a sample is compared.

    >>> canonical_answers(["Mattress", "mattress", "the mattresses", "no mattress", "mattress 2"])
    ['mattress', 'mattress', 'mattress', 'no mattress', 'mattress 2']

    :param answers: one per row.
    :param vectors: one per row, float32, shape (n_rows, n_features), finite; None: letters alone decide.
    :return: one answer per row.
    """
    if not answers:
        return []
    pattern = word_pattern()
    # Rows with one answer share what is made of it: a million rows have thousands of answers
    folded = list(map(cache(normalize_answer), answers))
    words = list(map(cache(lambda answer: list(dict.fromkeys(pattern.findall(answer)))), folded))
    canonical = _canonical_words(words, None if vectors is None else _typo_check(words, vectors))
    key = cache(lambda answer: _key(pattern.sub(lambda match: canonical.get(match[0], match[0]), answer)))
    result = _most_frequent(folded, list(map(key, folded)))
    return result if vectors is None else _join_continued(result, vectors)


def normalize_answer(answer: str) -> str:
    """Return an answer in lower case with single spaces.

    :param answer: any text.
    """
    return " ".join(fold_text(answer).split())


def _key(answer: str) -> str:
    """Return what forms of one answer have in common."""
    bare = ARTICLE.sub("", answer).strip(EDGES) or answer
    if any(c.isdigit() for c in bare):
        return bare
    spaced = bare.replace("-", " ")
    if UNJOINED.match(spaced) or NEGATIONS.intersection(spaced.split()):
        return spaced
    return spaced.replace(" ", "")


def _most_frequent(forms: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Return each form's most frequent form with the same key; of equally frequent ones the shortest."""
    counts = Counter(zip(keys, forms, strict=True))
    best: dict[str, str] = {}
    for (key, form), _ in sorted(counts.items(), key=lambda item: (-item[1], len(item[0][1]), item[0][1])):
        best.setdefault(key, form)
    return [best[key] for key in keys]


def _canonical_words(words: Iterable[Sequence[str]], is_near: IsNear | None) -> dict[str, str]:
    """Return the form that each word is replaced by, for the words that are replaced."""
    counts = Counter(word for row in words for word in row if not any(c.isdigit() for c in word))
    groups = _Groups(counts)
    by_letters: dict[str, str] = {}
    for word in sorted(counts):
        if not NEGATIONS.intersection(word.split("-")):
            groups.join(word, by_letters.setdefault(word.replace("-", ""), word))
    for word in sorted(counts):
        for singular in _singulars(word):
            if singular in by_letters:
                groups.join(word, by_letters[singular])
    canonical = groups.canonical()
    total = Counter[str]()
    for word, n in counts.items():
        total[canonical[word]] += n
    typos = {word: right for word, right in _typos(total) if is_near is None or is_near(word, right)}
    canonical = {word: typos.get(form, form) for word, form in canonical.items()}
    return {word: form for word, form in canonical.items() if form != word}


class _Groups:
    """Disjoint sets of forms, each represented by its most frequent one."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts
        self._parents = {form: form for form in counts}

    def find(self, form: str) -> str:
        while form != self._parents[form]:
            form = self._parents[form]
        return form

    def join(self, one: str, other: str) -> None:
        pair = {self.find(one), self.find(other)}
        best = min(pair, key=lambda form: (-self._counts[form], len(form), form))
        self._parents |= dict.fromkeys(pair, best)

    def canonical(self) -> dict[str, str]:
        return {form: self.find(form) for form in self._parents}


def _singulars(word: str) -> list[str]:
    """Return what the singular of a word may be, without hyphens; the caller knows whether it is a word."""
    word = word.replace("-", "")
    if len(word) < LEAST_PLURAL or not word.endswith("s") or word.endswith(NO_PLURAL_ENDINGS):
        return []
    if word in NO_PLURALS:
        return []
    found = [word[:-1]]
    if word.endswith("ies"):
        found.append(f"{word[:-3]}y")
    if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        found.append(word[:-2])
    return found


def _typos(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Return the rare words that a single edit turns into a frequent one, with that one."""
    frequent = sorted(
        word for word, n in counts.items() if n >= FREQUENT and LEAST_TYPO <= len(word) <= MOST_LETTERS
    )
    by_part = defaultdict(set)  # two words at a distance of one edit have a part in common
    for word in frequent:
        for part in _parts(word):
            by_part[part].add(word)
    for word in sorted(word for word in counts if len(word) <= MOST_LETTERS):
        shared = (by_part.get(part, ()) for part in _parts(word))
        near = {right for words in shared if len(words) <= MOST_NEAR for right in words}
        fitting = [right for right in near if counts[right] >= RARE * counts[word] and _is_typo(word, right)]
        if fitting:
            yield word, min(fitting, key=lambda right: (-counts[right], right))


def _parts(word: str) -> set[str]:
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


def _is_typo(word: str, right: str) -> bool:
    """Return whether a word is another one with a letter too many, too few or wrong, or with two letters swapped.

    The first and the last letter must be the same: "Daniela" is no typo of "Daniel". Scripts without case are left
    alone, since a single character of theirs may be a word.
    """
    if word == right or len(right) < LEAST_TYPO or word[:1] != right[:1] or word[-1:] != right[-1:]:
        return False
    if not all(c.lower() != c.upper() for c in (word + right).replace("-", "").replace("'", "")):
        return False
    if len(word) != len(right):
        longer, shorter = sorted((word, right), key=len, reverse=True)
        return shorter in _parts(longer)
    differing = [i for i, (a, b) in enumerate(zip(word, right, strict=True)) if a != b]
    if len(differing) == 1:
        return len(right) >= LEAST_SUBSTITUTION
    i, *rest = differing
    return rest == [i + 1] and word[i] == right[i + 1] and word[i + 1] == right[i]


def _typo_check(words: Sequence[Sequence[str]], vectors: Vectors) -> IsNear:
    """Return a test of two words by the rows that have them.

    The rows with the one must be as near to the mean of those with the other as the nearest three quarters of
    these are to the mean of the rest of them.
    """
    rows_with = _rows_by_value((word, i) for i, row in enumerate(words) for word in row)
    center = vectors.mean(axis=0, dtype=np.float64)

    def is_near(word: str, right: str) -> bool:
        own = _unit(vectors[_some(rows_with[right])] - center)
        others = (own.sum(axis=0) - own) / max(1, len(own) - 1)
        among = (own * _unit(others)).sum(axis=1)
        away = _unit(vectors[_some(rows_with[word])] - center) @ _unit(own.mean(axis=0))
        return bool(away.mean() >= np.quantile(among, QUARTILE))

    return is_near


def _join_continued(answers: Sequence[str], vectors: Vectors) -> list[str]:
    """Count answers together of which one continues the other ("zoom", "zoom us"), and whose vectors are alike."""
    rows_with = _rows_by_value((answer, i) for i, answer in enumerate(answers))
    letters = {answer: _key(answer) for answer, rows in rows_with.items() if len(rows) > 1}
    by_letters = {key: answer for answer, key in letters.items()}
    center = vectors.mean(axis=0, dtype=np.float64)
    groups = _Groups({answer: len(rows) for answer, rows in rows_with.items()})
    for answer, key in sorted(letters.items()):
        for n in range(LEAST_BEGINNING, min(len(key), MOST_LETTERS)):
            shorter = by_letters.get(key[:n])
            if shorter is None or key[n:] == "less" or not key.isalpha():  # a number, or a negation
                continue
            means = (vectors[_some(rows_with[form])].mean(axis=0) for form in (answer, shorter))
            one, other = (_unit(mean - center) for mean in means)
            if one @ other >= NEAR:
                groups.join(answer, shorter)
    canonical = groups.canonical()
    return [canonical[answer] for answer in answers]


def _rows_by_value(pairs: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    rows = defaultdict(list)
    for value, row in pairs:
        rows[value].append(row)
    return rows


def _some(rows: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.asarray(rows)[sample_indices(len(rows), MOST_COMPARED, 0)]


def _unit(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)
