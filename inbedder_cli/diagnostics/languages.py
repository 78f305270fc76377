"""Languages that a model does not read: its answers to such texts and questions are guesses."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from functools import cache, lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from inbedder_cli.clustering.preprocess import sample_indices
from inbedder_cli.models.manifest import bundled_for
from inbedder_cli.models.memo import cached_value

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.progress import Reporter

CHECKED_TEXTS = 500
MIN_BYTES = 12  # of letters in UTF-8: a Chinese character says as much as three Latin letters
FOREIGN = 0.02  # largest probability of the languages that a model reads for a text that it does not read
READ = 0.5  # least probability of these languages for a text that it does read
JOINED = 20  # short texts that are read together
MIN_SHARE = 0.02  # of the texts, below which nothing is said
MIN_TEXTS = 2
MAX_CHARACTERS = 1000  # of a text
NO_LANGUAGE = "zxx"  # what py3langid calls addresses, markup and noise
NO_WORDS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|<[^<>]*>")  # which look like words of some language
NAMED = 3  # languages that a message names
NAMES = {
    "am": "Amharic", "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "is": "Icelandic", "it": "Italian",
    "ja": "Japanese", "ka": "Georgian", "kk": "Kazakh", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian",
    "ms": "Malay", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "sw": "Swahili",
    "ta": "Tamil", "te": "Telugu", "th": "Thai", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian",
    "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese", "yo": "Yoruba", "zh": "Chinese",
}  # fmt: skip


def warn_of_languages(
    texts: Sequence[str], instruction: str, encoder: Encoder, reporter: Reporter
) -> dict[str, float]:
    """Warn of texts, or a question, in languages that the model does not read.

    :param texts: the texts.
    :param instruction: the question.
    :param encoder: the model.
    :param reporter: receives the warnings.
    :return: shares of the texts by language, as `unread_languages` returns them.
    """
    if encoder.languages is None:
        return {}
    unread = unread_languages(texts, encoder.languages)
    language, is_read = identify(instruction, encoder.languages)
    found = {f"{100 * sum(unread.values()):.0f} % of the texts are": list(unread)} if unread else {}
    if is_read is False:
        found["the question is"] = [language]
    for what, codes in found.items():
        reporter.warn(
            f"{what} in {name_languages(codes)}, which {encoder.name} does not read: its answers are guesses; "
            f"use {_models_for(codes)}"
        )
    return unread


def _models_for(codes: Sequence[str]) -> str:
    """Return what to use for languages: bundled models that read all of them, or the most frequent one."""
    for some in (codes, codes[:1]):
        if models := " or ".join(f"-m {name}" for name in bundled_for(some)):
            return models if len(some) == len(codes) else f"{models} for {name_languages(some)}"
    return "-m with a model of the Hugging Face hub that does"


def unread_languages(texts: Sequence[str], languages: Collection[str]) -> dict[str, float]:
    """Return the languages of texts that are not among those that a model reads, with their shares.

    Up to 500 texts are identified with py3langid (Lui & Baldwin 2012, "langid.py"). A text counts as unread if all
    languages that the model reads together have a probability below 0.02. Texts that leave this open, mostly
    short ones, are read together, 20 at a time. Fewer than two texts, or less than 2 %, count as none.

    :param texts: any number.
    :param languages: ISO 639 codes of the languages that the model reads.
    :return: share of the texts, 0 to 1, by ISO 639 code, the largest first.
    """
    distinct = list(dict.fromkeys(texts))
    checked = tuple(distinct[i] for i in sample_indices(len(distinct), CHECKED_TEXTS, 0).tolist())
    return dict(_unread_shares(checked, frozenset(languages)))


@lru_cache(maxsize=4)  # several questions are asked about the same texts
def _unread_shares(checked: tuple[str, ...], languages: frozenset[str]) -> dict[str, float]:
    shares: dict[str, float] = cached_value(
        _key("texts", checked, languages), lambda: _identify_texts(checked, languages)
    )
    return shares


def _key(what: str, texts: Sequence[str], languages: frozenset[str]) -> str:
    """Return the name of a verdict on texts: with it, the identifier need not be loaded to give it again."""
    digest = hashlib.sha256("\0".join([*sorted(languages), "", *texts]).encode("utf-8", "replace")).hexdigest()
    return f"languages of {what}, without addresses: {digest} py3langid {version('py3langid')}"


def _identify_texts(checked: tuple[str, ...], languages: frozenset[str]) -> dict[str, float]:
    counts: Counter[str] = Counter()
    unclear = []
    for text in checked:
        code, is_read = _identify(text, languages)
        if is_read is None:
            unclear.append(text)
        elif not is_read:
            counts[code] += 1
    for start in range(0, len(unclear), JOINED):
        together = unclear[start : start + JOINED]
        code, is_read = _identify("\n".join(together), languages)
        if is_read is False:
            counts[code] += len(together)
    if counts.total() < max(MIN_SHARE * len(checked), min(MIN_TEXTS, len(checked))):
        return {}
    return {code: n / len(checked) for code, n in counts.most_common()}


def identify(text: str, languages: Collection[str]) -> tuple[str, bool | None]:
    """Return the most probable language of a text, and whether it is among some languages.

    :param text: its first 1,000 characters count.
    :param languages: ISO 639 codes.
    :return: ISO 639 code, and True, False, or None where the text is too short to tell, or holds no words.
    """
    key = _key("a text", [text], frozenset(languages))
    code, is_read = cached_value(key, lambda: _identify(text, languages))
    return code, is_read


def _identify(text: str, languages: Collection[str]) -> tuple[str, bool | None]:
    text = NO_WORDS.sub(" ", text[:MAX_CHARACTERS]).encode("utf-8", "replace").decode()
    if sum(len(c.encode()) for c in text if c.isalpha()) < MIN_BYTES:
        return "", None
    ranked = _identifier().rank(text)
    if ranked[0][0] == NO_LANGUAGE:
        return "", None
    read = sum(probability for code, probability in ranked if code in languages)
    return ranked[0][0], False if read < FOREIGN else True if read >= READ else None


def name_languages(codes: Collection[str]) -> str:
    """Return the English names of the first languages, or their codes where the names are not known here.

    >>> name_languages(["de", "xx"]), name_languages(["de", "fr", "ja", "ko"])
    ('German, "xx"', 'German, French, Japanese and others')

    :param codes: ISO 639 codes.
    """
    names = [NAMES.get(code, f'"{code}"') for code in codes]
    return ", ".join(names[:NAMED]) + (" and others" if len(names) > NAMED else "")


@cache
def _identifier() -> Any:  # noqa: ANN401
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
