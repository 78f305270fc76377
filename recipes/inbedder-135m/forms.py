"""Rewrites sentences by rules as a poem, a screenplay, a letter and so on: form varies independently of content.

Openings and names exist in the four languages of the passages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

NAMES = "Anna Ben Clara David Elif Farid Grace Hugo Ines Jonas".split()
NAMES += "Kira Liam Mara Nico Olga Priya Rosa Sam Tara Yusuf".split()
PLACES = (
    "OFFICE|KITCHEN|STREET|CLASSROOM|OLD HOUSE|CAFÉ|LIBRARY|FOREST|HOSPITAL|BÜRO|STRASSE|CASA|CALLE|BIROU".split(
        "|"
    )
)
TIMES = "DAY NIGHT MORNING EVENING TAG NACHT DÍA NOCHE ZI NOAPTE".split()
MONTHS = "January March April June August October November".split()
SHOUTS = {
    "English": ("Yo, listen up", "Check it out", "Yeah, uh", "Hey yo, here we go", "Mic check, one two"),
    "German": ("Yo, hört mal zu", "Ey, pass auf", "Ja, Mann", "Eins, zwei, hier komm ich"),
    "Spanish": ("Oye, escucha bien", "Yo, dale", "Sí, mira hermano", "Uno, dos, aquí voy"),
    "Romanian": ("Hei, ascultă", "Yo, fii atent", "Da, frate", "Unu, doi, hai că vin"),
}
FILLERS = {
    "English": (
        ", yeah",
        ", you know",
        ", no doubt",
        ", ya feel me",
        ", that's right",
        ", so fly",
        ", understand?",
    ),
    "German": (", ja Mann", ", weißt du", ", kein Witz", ", checkst du?"),
    "Spanish": (", ¿sabes?", ", hermano", ", así es", ", ya tú sabes", ", sin parar"),
    "Romanian": (", frate", ", știi tu", ", așa e", ", pe bune"),
}
SIGHS = {
    "English": ("O", "Ah,", "And lo,", "Beneath the sky,", "Softly,"),
    "German": ("O", "Ach,", "Und sieh,", "Ganz leise,"),
    "Spanish": ("Oh", "Ay,", "Y mira,", "Suavemente,"),
    "Romanian": ("O,", "Ah,", "Și iată,", "Încet,"),
}
DEAR = {
    "English": (("Dear {},", "Yours sincerely,"), ("My dear {},", "With love,"), ("Dear {},", "Kind regards,")),
    "German": (("Liebe Frau {},", "Mit freundlichen Grüßen"), ("Lieber {},", "Herzliche Grüße")),
    "Spanish": (("Querida {}:", "Un abrazo,"), ("Estimado señor {}:", "Atentamente,")),
    "Romanian": (("Dragă {},", "Cu drag,"), ("Stimate domnule {},", "Cu stimă,")),
}


def words(text: str, rng: random.Random, least: int, most: int) -> list[str]:
    """Return lines of a few words each, broken after commas where there are some."""
    lines: list[str] = []
    line: list[str] = []
    wanted = rng.randint(least, most)
    for word in text.split():
        line.append(word)
        if len(line) >= wanted or (len(line) >= least and word[-1] in ",;:."):
            lines.append(" ".join(line))
            line, wanted = [], rng.randint(least, most)
    return [*lines, " ".join(line)] if line else lines


def capital(line: str) -> str:
    """Return the line with a capital first letter."""
    return line[:1].upper() + line[1:]


def tweet(parts: list[str], language: str, rng: random.Random) -> str:
    """Return one sentence with hashtags, mentions or emoji."""
    text = " ".join(min(parts, key=len).split()[:28])
    long = [w for w in re.findall(r"\w+", text) if len(w) > 5] or ["today"]
    tags = " ".join("#" + w.lower() for w in rng.sample(long, min(len(long), rng.randint(1, 2))))
    start = rng.choice(
        ["", "", "", f"RT @{rng.choice(NAMES).lower()}{rng.randint(1, 99)}: ", f"@{rng.choice(NAMES).lower()} "]
    )
    end = rng.choice(
        [
            "",
            " " + tags,
            " " + tags,
            " " + rng.choice("🔥 😂 🙌 👀 😍 💡 🤔 ✨".split()),
            "!!",
            " https://t.co/" + rng.choice(long)[:6],
        ]
    )
    return start + text.rstrip(".") + end


def poem(parts: list[str], language: str, rng: random.Random) -> str:
    """Return stanzas of short lines that begin with capital letters."""
    lines = [capital(line) for line in words(" ".join(parts), rng, 3, 7)]
    if rng.random() < 0.5:
        sigh = rng.choice(SIGHS[language])
        lines[0] = f"{sigh} {lines[0][:1].lower()}{lines[0][1:]}"
    if rng.random() < 0.5:
        lines = [line.rstrip(".,;:") + rng.choice([",", "", ",", "."]) for line in lines]
    stanza = rng.choice([2, 4, 4, 99])
    return "\n".join(line + ("\n" if i % stanza == stanza - 1 else "") for i, line in enumerate(lines)).strip()


def rap(parts: list[str], language: str, rng: random.Random) -> str:
    """Return lines with shouts and filler words."""
    lines = [capital(line) for line in words(" ".join(parts), rng, 5, 9)]
    lines = [
        line.rstrip(".,;:") + (rng.choice(FILLERS[language]) if rng.random() < 0.4 else ",") for line in lines
    ]
    if language == "English":
        lines = [re.sub(r"ing\b", "in'", line) if rng.random() < 0.7 else line for line in lines]
    opening = rng.choice(SHOUTS[language])
    return (
        f"{opening},\n" + "\n".join(lines)
        if rng.random() < 0.7
        else f"{opening}, {lines[0]}\n" + "\n".join(lines[1:])
    )


def song(parts: list[str], language: str, rng: random.Random) -> str:
    """Return verses and a chorus."""
    lines = [capital(line).rstrip(".,;:") for line in words(" ".join(parts), rng, 4, 7)]
    half = max(1, len(lines) // 2)
    hook = rng.choice(["Oh oh oh", "La la la", "Na na na", lines[0]])
    return "[Verse 1]\n" + "\n".join(lines[:half]) + f"\n\n[Chorus]\n{hook}\n" + "\n".join(lines[half:] or [hook])


def screenplay(parts: list[str], language: str, rng: random.Random) -> str:
    """Return a scene whose characters say the sentences."""
    scene = f"{rng.choice(['INT.', 'EXT.'])} {rng.choice(PLACES)} - {rng.choice(TIMES)}"
    people = [name.upper() for name in rng.sample(NAMES, 2)]
    if rng.random() < 0.4:
        people[0] = rng.choice(
            ["NARRATOR (V.O.)", "MAN", "WOMAN", "ERZÄHLER (V.O.)", "VOZ EN OFF", "MUJER", "FEMEIE"]
        )
    said = []
    for i, part in enumerate(parts):
        manner = (
            f"\n({rng.choice(['smiling', 'quietly', 'looks up', 'lächelnd', 'sonriendo', 'încet'])})"
            if rng.random() < 0.2
            else ""
        )
        said.append(f"{people[i % 2]}{manner}\n{part}" if rng.random() < 0.75 else part)
    opening = rng.choice(["FADE IN:\n\n", "FADE IN:\n\n", "", ""])
    closing = rng.choice(["\n\nCUT TO:", "\n\nFADE OUT.", "", ""])
    return opening + scene + "\n\n" + "\n\n".join(said) + closing


def letter(parts: list[str], language: str, rng: random.Random) -> str:
    """Return a letter."""
    opening, closing = rng.choice(DEAR[language])
    return f"{opening.format(rng.choice(NAMES))}\n\n{' '.join(parts)}\n\n{closing}\n{rng.choice(NAMES)}"


def email(parts: list[str], language: str, rng: random.Random) -> str:
    """Return an email with its subject."""
    subject = " ".join(parts[0].split()[: rng.randint(3, 6)])
    hello = rng.choice(
        ["Hi all,", "Hello team,", f"Hi {rng.choice(NAMES)},", "Hallo zusammen,", "Hola a todos:", "Bună,"]
    )
    bye = rng.choice(["Best,", "Thanks,", "Cheers,", "Regards,"])
    return f"Subject: {subject}\n\n{hello}\n\n{' '.join(parts)}\n\n{bye}\n{rng.choice(NAMES)}"


def diary(parts: list[str], language: str, rng: random.Random) -> str:
    """Return an entry of a diary."""
    day = f"{rng.choice(MONTHS)} {rng.randint(1, 28)}"
    return rng.choice(
        ["Dear diary,\n", f"{day}. Dear diary,\n", f"{day}, late at night.\n", f"{day}\nToday I could not sleep. "]
    ) + " ".join(parts)


def list_of_points(parts: list[str], language: str, rng: random.Random) -> str:
    """Return a list, one point per line."""
    mark = rng.choice(["- ", "* ", "• ", "{}. ", "{}) "])
    lines = words(" ".join(parts), rng, 5, 12)
    return "\n".join(mark.format(i + 1) + line.rstrip(".,;") for i, line in enumerate(lines))


def chat(parts: list[str], language: str, rng: random.Random) -> str:
    """Return an exchange of messages."""
    people = [name.lower() for name in rng.sample(NAMES, 2)]
    stamp = rng.random() < 0.5
    lines = []
    for i, part in enumerate(words(" ".join(parts), rng, 6, 14)):
        time = f"[{rng.randint(8, 22)}:{rng.randint(10, 59)}] " if stamp else ""
        lines.append(
            f"{time}{people[i % 2]}: {part.rstrip('.,').lower()}{rng.choice(['', '', ' lol', ' :)', ' ok?'])}"
        )
    return "\n".join(lines)


def news(parts: list[str], language: str, rng: random.Random) -> str:
    """Return a report with its dateline."""
    city = rng.choice(["LONDON", "BERLIN", "MADRID", "BUCHAREST", "NAIROBI", "TORONTO", "TOKYO"])
    agency = rng.choice(["", " (Reuters)", " (AP)", f", {rng.choice(MONTHS)} {rng.randint(1, 28)}"])
    return f"{city}{agency} - {' '.join(parts)}" + rng.choice(
        ["", " officials said on Monday.", " according to a statement."]
    )


def advert(parts: list[str], language: str, rng: random.Random) -> str:
    """Return an advertisement."""
    opening = rng.choice(
        ["Discover it today!", "NEW! Limited offer!", "Don't miss out!", "Jetzt entdecken!", "¡Oferta especial!"]
    )
    closing = rng.choice(
        [
            f"Only ${rng.randint(5, 99)}.99!",
            "Order now!",
            "Call 0800 555 0199.",
            "Visit us online.",
            "50% off this week!",
        ]
    )
    return f"{opening} {' '.join(parts)} {closing}"


FORMS = {
    "tweet": tweet,
    "poem": poem,
    "rap": rap,
    "song": song,
    "screenplay": screenplay,
    "letter": letter,
    "email": email,
    "diary": diary,
    "list": list_of_points,
    "chat": chat,
    "news report": news,
    "advertisement": advert,
}
WHICH_FORM = (
    "What form of writing is this?",
    "What is the style of the text?",
    "In what format is this written?",
    "What type of text is this?",
)
