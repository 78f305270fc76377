"""Texts that were decoded wrongly before they came here: UTF-8 read as Windows-1252 or Latin-1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNS = ("Ã", "Â", "â", "Ð", "Ñ")  # first bytes of characters in UTF-8, as Windows-1252 shows them
SHOWN = 30  # characters of an example


def mend(text: str) -> str | None:
    """Return what a text was before it was decoded wrongly; None if it was not.

    >>> mend("schÃ¶n"), mend("NÃO"), mend("schön")
    ('schön', None, None)

    :param text: any text.
    """
    if text.isascii() or not any(sign in text for sign in SIGNS):
        return None
    for encoding in ("cp1252", "latin-1"):
        try:
            return text.encode(encoding).decode()
        except UnicodeError:
            continue
    return None


def note_of_mojibake(texts: Sequence[str]) -> list[str]:
    """Return a note about texts that were decoded wrongly; nothing if there are none.

    :param texts: of the rows.
    """
    found = [(text, mended) for text in texts if (mended := mend(text)) is not None]
    if not found:
        return []
    text, mended = found[0]
    start = max(0, min(text.find(sign) for sign in SIGNS if sign in text) - SHOWN // 2)
    shown, meant = text[start : start + SHOWN].strip(), mended[start : start + SHOWN - 2].strip()
    which = f"{count_of(len(found), 'text')} decoded wrongly before"
    return [f'{which} ("{shown}" for "{meant}"): export them again as UTF-8']
