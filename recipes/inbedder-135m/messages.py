"""Messages of customers, made up: what it is about, what is wrong or right or wanted, the mood and the form vary freely.

Each question asks for one of these alone, so that a text has several answers that do not follow from each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

THINGS = (
    "phone|laptop|printer|vacuum cleaner|rain jacket|backpack|desk lamp|board game|garden hose|baby stroller|blender|"
    "gym|hotel|insurance|internet provider|train|parcel service|taxi app|library|museum|hairdresser|photo software|"
    "electricity supplier|online shop|bank|cinema|school canteen|swimming pool|concert|car rental"
).split("|")
BRANDS = (
    "Novatel Brightmart Kestrel Lumio Pinewood Arcadia Quickwell Homely Zentro Bluefin Tessera Oakline".split()
)

WRONG = {
    "broken": ("it stopped working after two days", "it arrived with a crack in it", "it will not start any more", "a part of it just fell off", "the screen shows an error and nothing happens"),
    "late": ("I have been waiting for three weeks", "it came nine days after the promised date", "everything started an hour late", "still nothing, and the date was last Friday", "it is delayed again"),
    "rude staff": ("the woman at the desk rolled her eyes at me", "the man on the phone shouted at us", "your people were arrogant and unfriendly", "the employee just walked away while I was talking", "staff treated us like thieves"),
    "price": ("they want twice as much as last year", "it costs far too much for what you get", "the price went up again without a word", "forty euros for this is a joke", "the same thing is half the price next door"),
    "wrong bill": ("I was charged twice", "the invoice shows things I never ordered", "you took the money although I had cancelled", "there is a fee on my statement that nobody can explain", "the discount was not deducted"),
    "poor quality": ("it feels cheap and thin", "after one wash the colour was gone", "the material is worse than in the picture", "it looks as if it had been made in a hurry", "it wears out far too fast"),
    "no reply": ("nobody answers my emails", "I was on hold for fifty minutes and then cut off", "five messages and not one reply", "support never calls back", "I only ever reach the machine"),
    "dirty": ("the floor was sticky and the bins were full", "there was hair everywhere", "it smelled of mould", "I found old stains on it", "nobody had cleaned for days"),
    "complicated": ("I do not understand the menus at all", "the instructions make no sense", "it takes eleven steps to do one thing", "my mother gave up after an hour", "nobody can find the button"),
    "cancelled": ("they called it off an hour before", "my booking was cancelled without a reason", "it simply did not take place", "the appointment was dropped at the last minute", "they cancelled on us again"),
    "lost": ("they cannot find my suitcase", "my documents disappeared with them", "the package is gone and nobody knows where", "my coat was not there when I came back", "all my files vanished"),
    "noise": ("it is so loud that we cannot talk", "it hums all night", "there was drilling from six in the morning", "the rattling drives me mad", "you hear every step of the neighbours"),
    "queue": ("we stood in line for ninety minutes", "one open desk and forty people waiting", "the queue went around the corner", "an hour just to get in", "the line did not move at all"),
    "wrong item": ("I ordered blue and got brown", "the box contained something else", "they sent the old model", "it is two sizes too small and not what I chose", "this is not the one in the photo"),
}  # fmt: skip
RIGHT = {
    "friendly staff": ("the people there are so kind", "the man at the desk really took his time", "everyone smiled and knew my name", "such warm and patient staff", "she explained everything gladly"),
    "speed": ("it was here the next morning", "ten minutes and all was done", "they fixed it within the hour", "it starts at once", "faster than I thought possible"),
    "price": ("so much for so little money", "a fair price at last", "it costs less than anywhere else", "worth every cent", "half of what I paid before"),
    "quality": ("it is solid and well made", "after a year it still looks new", "you feel the good material", "everything about it is carefully built", "it never let me down"),
    "easy use": ("even my grandfather managed it", "one button and it runs", "set up in two minutes", "everything is where you expect it", "no manual needed"),
    "help": ("support stayed with me until it worked", "they replaced it without any questions", "someone called back the same day", "they solved in a minute what others could not", "real people who care"),
    "cleanliness": ("everything was spotless", "it smelled fresh and the floors shone", "the cleanest place I have seen", "not a speck of dust", "always tidy"),
    "design": ("it looks beautiful", "what a lovely colour and shape", "the prettiest thing in the room", "so elegant", "friends ask where I got it"),
    "quiet": ("you hardly hear it", "wonderfully silent", "so calm that I fell asleep", "no noise at all", "even at night not a sound"),
}  # fmt: skip
WANTED = {
    "opening hours": ("are you open on Sunday", "what time do you close", "can I come after eight in the evening"),
    "price": ("how much is it per month", "what would it cost for two people", "is there a discount for students"),
    "cancellation": ("how do I cancel my contract", "I would like to end this from May", "please delete my account"),
    "change of address": ("we moved, how do I change the address", "please send it to my new flat", "my street has changed"),
    "password": ("I forgot my password", "how do I log in again", "the code for signing in expired, can I get a new one"),
    "invoice": ("could I get a copy of the bill", "please send the receipt for my tax office", "where do I find my invoices"),
    "availability": ("is the green one in stock", "do you have a free place on Tuesday", "when will it be available again"),
    "warranty": ("how long is the guarantee", "is this covered for a second year", "does the warranty include the battery"),
    "return": ("how can I send it back", "until when may I return it", "do I need the box for a return"),
    "payment": ("can I pay by card", "do you take cash", "is payment in parts possible"),
    "delivery date": ("when will it arrive", "where is my order now", "can it come a day earlier"),
    "instructions": ("how do I connect it", "which button resets it", "where can I read how it works"),
}  # fmt: skip
PLAIN = ("I have had the {thing} since March.", "We use the {thing} twice a week.", "This is about the {thing} from {brand}.", "The {thing} of {brand} is the small version.", "I compared two of them and took the {thing}.", "The {thing} is in the second row on the left.")  # fmt: skip

MOODS = {
    "anger": ("This is outrageous!", "I am furious.", "How dare you!", "Enough is enough!!", "What an absolute disgrace.", "I am SO fed up with this."),
    "disappointment": ("I had hoped for more.", "What a pity.", "Sadly not what I was promised.", "I expected better, to be honest.", "It used to be good.", "Such a let-down."),
    "worry": ("I am worried that it gets worse.", "What if it happens again?", "I hardly dare to use it now.", "I hope nothing bad comes of it.", "I lie awake over this.", "I'm a bit scared, honestly."),
    "confusion": ("I don't get it.", "Can someone explain this to me?", "I am at a loss.", "Huh? That makes no sense to me.", "Now I am completely confused."),
    "sadness": ("It makes me want to cry.", "My little one was in tears.", "I feel so down about it.", "It breaks my heart.", "We left with heavy hearts."),
    "disgust": ("Yuck.", "It turned my stomach.", "Revolting.", "I still feel sick when I think of it."),
}  # fmt: skip
GOOD_MOODS = {
    "gratitude": ("Thank you so much!", "I can't thank you enough.", "Many thanks to all of you.", "I am deeply grateful.", "Bless you."),
    "joy": ("I am so happy!", "It makes me smile every day.", "We had such a lovely time.", "Pure delight.", "Yay!"),
    "surprise": ("I did not see that coming!", "Wow, I can hardly believe it.", "Who would have thought?", "I was speechless.", "Quite unexpected!"),
    "excitement": ("I can't wait for next time!!", "So thrilled!", "Counting the days!", "This is going to be great!"),
    "admiration": ("Hats off.", "Truly impressive.", "They are the best at what they do.", "I have the highest respect for them."),
    "relief": ("What a relief.", "Finally I can breathe again.", "A weight off my mind.", "Phew."),
    "amusement": ("Haha, brilliant.", "We laughed so hard.", "lol, made my day.", "Too funny."),
}  # fmt: skip

ASKS = {
    "wrong": ("What is the customer complaining about?", "Why is the customer unhappy?", "What went wrong?", "What is the problem?"),
    "right": ("What does the customer like?", "What is praised?", "Why is the customer happy?"),
    "wanted": ("What does the customer want?", "What is the customer asking for?", "What does the customer need to know?"),
    "mood": ("What emotion is expressed?", "What emotion does the customer express?", "How does the customer feel?"),
    "thing": ("What product or service is this about?", "Which product is meant?", "What is the message about?"),
    "brand": ("Which company is the message about?", "Which brand is mentioned?"),
    "form": ("What kind of message is this?", "Where was this written?"),
    "sentiment": (
        "How does the customer feel about the company?", "How does the customer feel about the product?",
        "What is the sentiment of the customer: positive, negative or neutral?", "Is the customer satisfied?",
    ),
}  # fmt: skip
SENTIMENT = {"positive": "satisfied", "negative": "dissatisfied", "neutral": "neutral"}


def message(rng: random.Random) -> tuple[str, dict[str, str]]:
    """Return a message and what it says by the keys of `ASKS`."""
    facts = {"thing": rng.choice(THINGS)}
    brand = rng.choice(BRANDS)
    sentiment = facts["sentiment"] = rng.choice(("positive", "negative", "negative", "neutral"))
    moods: dict[str, tuple[str, ...]] = {}
    if sentiment == "neutral":
        facts["wanted"] = rng.choice(sorted(WANTED)) if rng.random() < 0.75 else ""
        said = rng.choice(WANTED[facts["wanted"]]) + "?" if facts["wanted"] else rng.choice(PLAIN)
        facts["mood"] = "neutral"
    else:
        key, store, moods = ("right", RIGHT, GOOD_MOODS) if sentiment == "positive" else ("wrong", WRONG, MOODS)
        facts[key] = rng.choice(sorted(store))
        said = rng.choice(store[facts[key]]) + "."
        if rng.random() < 0.6:
            facts["mood"] = rng.choice(sorted(moods))
    about = rng.choice(
        (
            "About the {thing}: ",
            "My {thing}, well, ",
            "{brand} {thing}: ",
            "Your {thing}: ",
            "The {thing} at {brand}: ",
            "So, the {thing}. ",
        )
    )
    if "{brand}" in about:
        facts["brand"] = brand
    sentence = about + said if said not in PLAIN else said
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
    return _written(sentence, facts, brand, rng), {k: v for k, v in facts.items() if v}


def _written(sentence: str, facts: dict[str, str], brand: str, rng: random.Random) -> str:
    form = facts["form"]
    if form == "tweet":
        sentence = (f"@{brand} " if "brand" in facts else "") + sentence.rstrip(".")
        return sentence + rng.choice(
            (
                "",
                " #fail" if facts["sentiment"] == "negative" else " #service",
                " smh" if facts["sentiment"] == "negative" else "",
            )
        )
    if form == "email":
        return f"{rng.choice(('Dear Sir or Madam,', 'Hello,', 'Dear team,', 'Good morning,'))} {sentence} {rng.choice(('Kind regards, ', 'Yours, ', 'Best wishes, '))}{rng.choice(('A. Meyer', 'Jo Smith', 'R. Costa', 'Lena'))}"
    if form == "review":
        stars = {"positive": "★★★★★", "negative": "★☆☆☆☆", "neutral": "★★★☆☆"}[facts["sentiment"]]
        return rng.choice((f"{stars} ", "Review: ", "Verified purchase. ")) + sentence
    return rng.choice(("hi ", "hey, ", "hello?? ", "hi there, ")) + sentence[:1].lower() + sentence[1:]
