"""Generator of the demo model's corpus: chats and raw text about a small world.

Every question is made from a phrasing (template) and an entity. Phrasings that
start with "!" and about one (phrasing, entity) pair in sixteen are held out:
they never enter the training text and are what `evaluate.py` asks. Whatever else
happens to read like a held-out phrasing or a line of held-out.jsonl is drawn again.

    python corpus.py --held-out 20 --out new.jsonl        # fresh held-out questions
    python corpus.py --show 20                            # look at training documents
"""

import argparse
import json
import os
import random
import re
import zlib
from dataclasses import dataclass, field

import world as W

# ---------------------------------------------------------------- small helpers


def rows(table):
    """The lines of a table, split at '|'."""
    return [line.split("|") for line in table.strip().splitlines()]


def a(noun):
    """The noun with its indefinite article."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def cap(text):
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def low(text):
    """The text with a small first letter, unless it starts with 'I ' or an acronym."""
    if text[:2] in ("I ", "I'") or text[1:2].isupper():
        return text
    return text[:1].lower() + text[1:]


def bare(thing):
    """The thing without its article."""
    for article in ("a ", "an ", "the "):
        if thing.startswith(article):
            return thing[len(article):]
    return thing


def plural(noun):
    """The plural of a noun."""
    head, _, last = noun.rpartition(" ")
    if head:
        return head + " " + plural(last)
    if noun in W.IRREGULAR_PLURALS:
        return W.IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh", "z")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def joined(words):
    """'a, b and c'."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def is_held(category, template, key):
    """Whether this phrasing, or this phrasing for this entity, is held out from training."""
    if template.startswith("!"):
        return True
    return bool(key) and zlib.crc32(f"{category}|{template}|{key}".encode()) % 16 == 0


@dataclass
class Turn:
    """One question with its answer. `accept` lists substrings that make an answer right."""

    category: str
    user: str
    answer: str
    accept: list
    held: str = ""
    follow: str = ""
    fact: object = None


@dataclass
class Fact:
    """One fact of the world with its phrasings; slots fill the templates."""

    category: str
    key: str
    answer: str
    accept: list
    asks: list
    slots: dict = field(default_factory=dict)
    raws: list = field(default_factory=list)
    follow: str = ""

    def turn(self, rng, held):
        """A random question for this fact, or None if it has none of that sort."""
        pool = [t for t in self.asks if is_held(self.category, t, self.key) == held]
        if not pool:
            return None
        template = rng.choice(pool)
        kind = ("phrasing" if template.startswith("!") else "pair") if held else ""
        user = cap(template.lstrip("!").format(**self.slots))
        return Turn(self.category, user, self.answer, self.accept, kind, self.follow, self)

    def raw(self, rng, held):
        """A random raw completion (prefix, rest, kind), or None."""
        pool = [t for t in self.raws if is_held(self.category + "-raw", t, self.key) == held]
        if not pool:
            return None
        template = rng.choice(pool)
        kind = ("phrasing" if template.startswith("!") else "pair") if held else ""
        prefix, rest = template.lstrip("!").format(**self.slots).split("~")
        return cap(prefix), rest, kind


# ---------------------------------------------------------------- facts from the tables


def color_facts():
    """Colors of things."""
    asks = ["What color is {x}?", "What is the color of {x}?", "Which color is {x}?", "What color does {x} have?",
            "What color has {x}?", "Tell me the color of {x}", "What colour is {x}?", "Color of {b}?", "What color is {b}?",
            "Do you know the color of {x}?", "The color of {x}?", "{x} has what color?", "Which color does {x} have?",
            "What is the usual color of {x}?", "What colour does {x} have?", "The color of {x} is what?",
            "Say the color of {x}", "Give me the color of {x}", "Can you name the color of {x}?", "What color would you say {x} is?",
            "What would you call the color of {x}?", "I want to know what color {x} is", "I ask myself what color {x} has",
            "Do you know what color {x} is?", "Tell me what color {x} has", "!Name the color of {x}", "!What would you say is the color of {x}?",
            "!I wonder what color {x} is"]
    plurals = ["What color are {p}?", "What is the color of {p}?", "Which color are {p}?", "What colour are {p}?",
               "What color do {p} have?", "Do you know what color {p} are?", "I want to know what color {p} are", "Tell me the color of {p}",
               "Tell me what color {p} have", "!Tell me what color {p} are"]
    raws = ["the color of {x} is~ {c}.", "{x} is~ {c}.", "the usual color of {x} is~ {c}.", "what is the color of {x}? It is~ {c}.",
            "everybody knows that {x} is~ {c}.", "Q: What color is {x}?\nA:~ {x_cap} is {c}.", "what color is {x}?~ {x_cap} is {c}.",
            "Question: What is the color of {x}?\nAnswer:~ {x_cap} is {c}.",
            "{x} has the color~ {c}.", "{x} has the colour~ {c}.", "the usual colour of {x} is~ {c}.", "the colour of {b} is~ {c}.",
            "{b} has the color~ {c}.", "the color you see on {x} is~ {c}.", "in color, {x} is~ {c}.", "we all know: {x} is~ {c}.",
            "look, {x} is~ {c}.", "color of {x}:~ {c}.", "{x} is usually~ {c}.", "the colour {x} has is~ {c}.", "!the colour of {x} is~ {c}."]
    for color, things in W.COLORS.items():
        for x in things.split("|"):
            slots = {"x": x, "b": bare(x), "c": color, "x_cap": cap(x), "p": ""}
            yield Fact("colors", x, f"{cap(x)} is {color}.", [f"is {color}"], asks, slots, raws, x)
            if x.startswith(("a ", "an ")):
                slots = dict(slots, p=plural(bare(x)))
                yield Fact("colors", x + "s", f"{cap(slots['p'])} are {color}.", [f"are {color}"], plurals, slots,
                           ["{p} are~ {c}.", "the color of {p} is~ {c}.", "{p} are usually~ {c}.", "all {p} are~ {c}.",
                               "the usual color of {p} is~ {c}.", "the colour of {p} is~ {c}."], slots["p"])


def animal_facts():
    """Sounds, legs, young, homes, kinds, food and flight of animals."""
    sound = ["What does {x} say?", "What sound does {x} make?", "What noise does {x} make?", "How does {x} sound?",
             "What is the sound of {x}?", "Which sound does {x} make?", "Tell me what {x} says", "What does the {n} say?",
             "What do {p} say?", "What sound do {p} make?", "Which noise does {x} make?", "What sound comes from {x}?",
             "Make the sound of {x}", "How do {p} speak?", "How does {x} talk?", "In what way does {x} speak?", "What is the noise of {x}?",
             "Which noise does the {n} make?", "What noise do you hear from {x}?", "Which sound do {p} make?", "What kind of noise do {p} make?",
             "In which way do {p} speak?", "How does the {n} sound?", "How does the {n} talk?", "!What noise do {p} make?", "!How does {x} speak?",
             "!Which sound does the {n} make?"]
    legs = ["How many legs does {x} have?", "How many legs do {p} have?", "What is the number of legs of {x}?",
            "How many legs has {x}?", "Tell me how many legs {x} has", "The number of legs of {x}?", "On how many legs does {x} walk?",
            "Number of legs of {x}?", "How many legs are on {x}?", "How many legs does the {n} have?", "How many legs do you count on {x}?",
            "Can you count the legs of {p}?", "Count the legs {x} has", "How many legs has one {n}?", "!How many legs has the {n}?",
            "!Count the legs of {x}"]
    young = ["What is the young of {x} called?", "What is a baby {n} called?", "What do you call a baby {n}?",
             "What is the young of {x}?", "What do you call the young of {x}?", "What is the baby of {x} called?",
             "What is the name for a baby {n}?", "How do we call a baby {n}?", "The young of {x} is called what?",
             "Tell me the name of a baby {n}", "What are the babies of {p} called?", "What do we call baby {p}?", "What do we call the young of {x}?",
             "How are baby {p} called?", "How do you call baby {p}?", "How is a young {n} called?", "What do people call a young {n}?",
             "What are the young of {p} called?", "What is the word for a baby {n}?", "!What are baby {p} called?", "!What do we call a young {n}?"]
    home = ["Where does {x} live?", "Where do {p} live?", "What is the home of {x}?", "Where is the home of {x}?",
            "Where can I find {x}?", "Where do I find {x}?", "Tell me where {x} lives", "In what place does {x} live?", "Where does the {n} live?",
            "Where can you find {p}?", "In what place is {x} at home?", "Where are {p} at home?", "Which place is the home of {x}?",
            "Where does {x} have its home?", "Where is the {n}'s home?", "Where is one {n} at home?", "In which place does {x} live?",
            "In what place do {p} live?", "In what place do you find {p}?", "!Where is {x} at home?", "!In which place do {p} live?"]
    kind = ["What kind of animal is {x}?", "What type of animal is {x}?", "What sort of animal is {x}?", "What kind of animal are {p}?",
            "To which group of animals does {x} belong?", "What class of animal is {x}?", "Which kind of animal is {x}?",
            "What sort of animal is the {n}?", "Which type of animal is {x}?", "Which kind of animal is the {n}?",
            "Tell me what sort of animal {x} is", "Do you know what kind of animal {x} is?", "!Which sort of animal is the {n}?",
            "!Tell me what kind of animal {x} is"]
    what = ["What is {x}?", "What are {p}?", "What is the {n}?", "Tell me what {x} is", "Is {x} an animal?", "{x} is what?",
            "Explain {x}", "What would you say {x} is?", "Can you explain what {x} is?", "Describe what {x} is", "Say what {x} is",
            "Please explain what {x} is to me", "!Explain what {x} is"]
    food = ["What does {x} eat?", "What do {p} eat?", "What is the food of {x}?", "What food does {x} eat?", "Tell me what {x} eats",
            "What does the {n} eat?", "What do you feed {x}?", "What does {x} like to eat?", "What food is eaten by {x}?",
            "What things are eaten by {p}?", "Which food do {p} eat?", "What is the usual food of {x}?", "What is eaten by the {n}?",
            "What food do {p} like?", "What does the {n} like to eat?", "What do {p} love to eat?", "!What is eaten by {x}?",
            "!What do {p} like to eat?"]
    fly = ["Can {x} fly?", "Can {p} fly?", "Does {x} fly?", "Do {p} fly?", "Is {x} able to fly?", "Can the {n} fly?", "Is the {n} able to fly?",
           "Are all {p} able to fly?", "Can one {n} fly?", "Are {p} animals that fly?", "Tell me if {x} can fly", "Do you know if {x} can fly?",
           "!Are {p} able to fly?"]
    for n, cry, leg, baby, place, group, eats, flies in rows(W.ANIMALS):
        x, p = a(n), plural(n)
        s = {"n": n, "x": x, "p": p, "v": cry, "leg": leg, "baby": baby and a(baby), "place": place, "g": a(group), "eats": eats}
        X = cap(x)
        if cry:
            yield Fact("animal sounds", n, f"{X} says {cry}.", [f"says {cry}"], sound, s,
                       ["{x} says~ {v}.", "the sound of {x} is~ {v}.", "the {n} says~ {v}.", "the little {n} says~ {v}.",
                       "the {n} over there says~ {v}.", "the {n} in the book says~ {v}.", "the {n} in the picture says~ {v}.",
                       "the {n} at the door says~ {v}.", "listen, {x} says~ {v}.", "{x} always says~ {v}.", "every {n} says~ {v}.",
                       "my {n} says~ {v}.", "{x}'s sound is~ {v}.", "the noise of {x} is~ {v}.", "the sound of the {n} is~ {v}.",
                       "the sound that {x} makes is~ {v}.", "{x} makes the sound~ {v}.", "on the hill the {n} says~ {v}.",
                       "!the {n} on the farm says~ {v}."], x)
        if leg:
            yield Fact("animal legs", n, f"{X} has {leg} legs.", [f"has {leg} legs"], legs, s,
                       ["{x} has~ {leg} legs.", "the number of legs of {x} is~ {leg}.", "every {n} has~ {leg} legs.", "a normal {n} has~ {leg} legs.",
                       "my {n} has~ {leg} legs.", "this {n} has~ {leg} legs.", "{p} have~ {leg} legs.", "{x} walks on~ {leg} legs.",
                       "the little {n} has~ {leg} legs.", "we know that {x} has~ {leg} legs.", "!the {n} has~ {leg} legs."], x)
        if baby:
            yield Fact("animal young", n, f"The young of {x} is called {a(baby)}.", [f"called {a(baby)}."], young, s,
                       ["the young of {x} is called~ {baby}.", "a baby {n} is called~ {baby}.", "the baby of the {n} is called~ {baby}.",
                       "the young of the {n} is called~ {baby}.", "the babies of {x}: each is called~ {baby}.", "we call the baby of {x}~ {baby}.",
                       "we call the young of {x}~ {baby}.", "{x}'s baby is called~ {baby}.", "{x}'s young is called~ {baby}.",
                       "the name for a baby {n} is~ {baby}.", "a young {n} is called~ {baby}.", "the baby of {x} is~ {baby}.",
                       "the young of {x} is~ {baby}.", "!the baby of {x} is called~ {baby}."], x)
        yield Fact("animal homes", n, f"{X} lives {place}.", [f"lives {place}"], home, s,
                   ["{x} lives~ {place}.", "the {n} lives~ {place}.", "the home of the {n} is~ {place}.", "the home of {p} is~ {place}.",
                   "the home of every {n} is~ {place}.", "{x}'s home is~ {place}.", "the {n}'s home is~ {place}.",
                   "the place where {x} lives is~ {place}.", "the place of {x} is~ {place}.", "{x} has its home~ {place}.",
                   "{x} is at home~ {place}.", "you can find {x}~ {place}.", "{p} live~ {place}.", "the natural home of {x} is~ {place}.",
                   "the usual home of {x} is~ {place}.", "!the home of {x} is~ {place}."], x)
        yield Fact("animal kinds", n, f"{X} is {a(group)}.", [f"is {a(group)}"], kind, s, ["the kind of animal {x} is:~ {g}.",
        "{x} belongs to the animals, it is~ {g}.", "the {n} is an animal, it is~ {g}.", "what kind of animal is {x}? It is~ {g}.",
        "among the animals, {x} is~ {g}.", "{x} is a kind of animal, it is~ {g}."])
        yield Fact("kinds", n, f"{X} is an animal.", ["is an animal"], what, s)
        if eats:
            yield Fact("animal food", n, f"{X} eats {eats}.", [f"eats {eats}"], food, s,
                       ["{x} eats~ {eats}.", "the {n} eats~ {eats}.", "the food of the {n} is~ {eats}.", "the food of {p} is~ {eats}.",
                       "the food of every {n} is~ {eats}.", "{x}'s food is~ {eats}.", "the {n}'s food is~ {eats}.",
                       "the usual food of {x} is~ {eats}.", "the food {x} likes is~ {eats}.", "the food that {x} eats is~ {eats}.",
                       "{x} likes to eat~ {eats}.", "{p} eat~ {eats}.", "{x} lives on~ {eats}.", "for food, {x} eats~ {eats}.",
                       "{x} feeds on~ {eats}.", "!the food of {x} is~ {eats}."], x)
        if flies:
            answer = f"Yes, {x} can fly." if flies == "yes" else f"No, {x} cannot fly."
            yield Fact("animal flight", n, answer, [answer[:-1]], fly, s)


def capital_facts():
    """Capital cities, both ways, and continents."""
    ask = ["What is the capital of {c}?", "What is the capital city of {c}?", "Which city is the capital of {c}?", "Capital of {c}?",
           "Tell me the capital of {c}", "What's the capital of {c}?", "Do you know the capital of {c}?", "What city is the capital of {c}?",
           "The capital of {c}?", "Which is the capital of {c}?", "{c} has which capital?", "What is {c}'s capital?", "What capital does {c} have?",
           "The capital city of {c}?", "What is the name of the capital of {c}?", "How is the capital of {c} called?",
           "What is the capital of {c} called?", "What is the capital city called in {c}?", "Can you name the capital of {c}?",
           "Say the capital of {c}", "Name {c}'s capital", "Name the capital city of {c}", "Which capital city does {c} have?",
           "What is the capital called that {c} has?", "Which capital belongs to {c}?", "Tell me {c}'s capital", "Please give me the capital of {c}",
           "!Name the capital of {c}", "!Which capital does {c} have?", "!What is the capital called in {c}?"]
    back = ["Which country has the capital {k}?", "{k} is the capital of which country?", "Of which country is {k} the capital?",
            "What country has {k} as its capital?", "{k} is the capital of what?", "What is {k} the capital of?", "Where is {k}?",
            "In which country is {k}?", "What country is {k} in?", "What is {k}?", "{k} is in what country?", "{k} is a city in which country?",
            "Which country has {k} as its capital?", "What country is {k} the capital of?", "Tell me which country {k} is in",
            "For which country is {k} the capital?", "!{k} is in which country?", "!Which country is {k} the capital of?"]
    cont = ["On which continent is {c}?", "Which continent is {c} on?", "What continent is {c} in?", "Where is {c}?",
            "In which part of the world is {c}?", "On what continent is {c}?", "Tell me the continent of {c}", "Where do I find {c}?",
            "Where can you find {c}?", "Where can I find the country {c}?", "Where in the world is {c}?", "Where is the country {c}?",
            "{c} is on what continent?", "{c} is in which part of the world?", "{c} is on which part of the map?", "Where can we find {c}?",
            "Where can I find {c} on the map?", "Tell me where {c} is", "Where would I find {c}?", "!{c} is on which continent?",
            "!Where can I find {c}?"]
    for c, k, continent in rows(W.CAPITALS):
        s = {"c": c, "k": k, "t": continent}
        yield Fact("capitals", c, f"The capital of {c} is {k}.", [f"is {k}"], ask, s,
                   ["the capital of {c} is~ {k}.", "the capital city of {c} is~ {k}.",
                   "Q: What is the capital of {c}?\nA:~ The capital of {c} is {k}.",
                    "what is the capital of {c}?~ The capital of {c} is {k}.", "everybody knows that the capital of {c} is~ {k}.",
                    "{c}'s capital is~ {k}.", "{c}'s capital city is~ {k}.", "the capital in {c} is~ {k}.",
                    "the main city in {c} is the capital,~ {k}.", "the name of the capital of {c} is~ {k}.",
                    "the capital city of the country {c} is~ {k}.", "in {c} the capital is~ {k}.", "in {c} the capital city is~ {k}.",
                    "{c} has the capital~ {k}.", "capital of {c}:~ {k}.", "the capital of the country {c} is~ {k}.",
                    "!the capital city in {c} is~ {k}."], c)
        yield Fact("capitals back", c, f"{k} is the capital of {c}.", [f"capital of {c}"], back, s,
                   ["{k} is the capital of~ {c}.", "the city of {k} is the capital of~ {c}.", "{k} is the main city and capital of~ {c}.",
                   "{k} is a city, the capital of~ {c}.", "the capital city {k} is in~ {c}.", "{k} is a city in~ {c}.",
                   "{k} is the capital of the country~ {c}.", "the city {k} is the capital city of~ {c}.", "{k} is the famous capital of~ {c}.",
                   "!{k} is the capital city of~ {c}."])
        if continent and continent != c:
            yield Fact("continents", c, f"{cap(c)} is in {continent}.", [f"is in {continent}"], cont, s,
                       ["{c} is in~ {t}.", "{c} is a country in~ {t}.", "{c} is located in~ {t}.", "the country {c} is in~ {t}.",
                       "the country {c} lies in~ {t}.", "{c} lies on the continent of~ {t}.", "{c} can be found in~ {t}.", "you find {c} in~ {t}.",
                       "the continent of {c} is~ {t}.", "on the map {c} lies in~ {t}.", "{c} is part of~ {t}.", "{c} belongs to~ {t}.",
                       "{c} is found in~ {t}.", "!{c} lies in~ {t}."])


def opposites():
    """Every word with its opposite."""
    table = {}
    for pair in W.OPPOSITES.replace("\n", "|").split("|"):
        if pair.strip():
            x, y = pair.split()
            table.setdefault(x, y)
            table.setdefault(y, x)
    return table


def word_facts():
    """Opposites, plurals, rhymes and kinds of things."""
    opp = ["What is the opposite of {x}?", "What's the opposite of {x}?", "The opposite of {x}?", "Opposite of {x}?", "Tell me the opposite of {x}",
           "Which word is the opposite of {x}?", "Give me the opposite of {x}", "What word means the opposite of {x}?", "What is not {x}?",
           "{x} is the opposite of what?", "Do you know the opposite of {x}?", "What is the contrary of {x}?", "Can you name the opposite of {x}?",
           "Find the word that is the opposite of {x}", "Say the opposite of {x}", "Name a word that is the opposite of {x}",
           "Find a word that means the opposite of {x}", "Please find the opposite of the word {x}", "What is the opposite word of {x}?",
           "What is the reverse of {x}?", "!Name the opposite of {x}", "!Find the opposite of {x}"]
    for x, y in opposites().items():
        yield Fact("opposites", x, f"The opposite of {x} is {y}.", [f"is {y}."], opp, {"x": x, "y": y},
                   ["the opposite of {x} is~ {y}.", "{x} is the opposite of~ {y}.",
                   "Q: What is the opposite of {x}?\nA:~ The opposite of {x} is {y}.",
                    "the contrary of {x} is~ {y}.", "the word for the opposite of {x} is~ {y}.", "a word that is the opposite of {x} is~ {y}.",
                    "{x}'s opposite is~ {y}.", "opposite of {x}:~ {y}.", "not {x} but~ {y}.", "if it is not {x}, it is~ {y}.",
                    "the opposite word of {x} is~ {y}.", "what is the opposite of {x}? It is~ {y}.", "!a word for the opposite of {x} is~ {y}."], x)
    many = ["What is the plural of {x}?", "What's the plural of {x}?", "Plural of {x}?", "The plural of {x}?", "Tell me the plural of {x}",
            "What is the plural form of {x}?", "One {x}, two what?", "Give me the plural of {x}", "How do you write the plural of {x}?",
            "Make {x} plural",
            "What do you call more than one {x}?", "Say the plural of {x}", "Name the plural form of {x}", "Find the plural of {x}",
            "Write {x} in the plural", "What is {x} in the plural?", "Put {x} in the plural", "Two of {x} are called what?",
            "!Name the plural of {x}", "!Say {x} in the plural"]
    for x in W.PLURAL_NOUNS.split():
        yield Fact("plurals", x, f"The plural of {x} is {plural(x)}.", [f"is {plural(x)}."], many, {"x": x, "y": plural(x)},
                   ["the plural of {x} is~ {y}.", "one {x}, two~ {y}.", "one {x}, many~ {y}.", "one {x}, four~ {y}.", "one {x}, five~ {y}.",
                   "one {x}, ten~ {y}.", "one {x} and three~ {y}.", "one {x} and two~ {y}.", "one {x} but many~ {y}.", "one {x}, a lot of~ {y}.",
                   "one {x}, some~ {y}.", "first one {x}, then three~ {y}.", "more than one {x}:~ {y}.", "the plural form of {x} is~ {y}.",
                   "{x} in the plural is~ {y}.", "one {x}, seven~ {y}.", "a {x}, three~ {y}.", "!one {x}, three~ {y}."], x)
    rhyme = ["What rhymes with {x}?", "Which word rhymes with {x}?", "Tell me a word that rhymes with {x}", "Give me a rhyme for {x}",
             "Find a rhyme for {x}",
             "What is a rhyme for {x}?", "A word that rhymes with {x}?", "Name a word that rhymes with {x}", "Can you find a rhyme for {x}?",
             "Do you have a rhyme for {x}?", "Do you know a word that rhymes with {x}?", "Give me a word rhyming with {x}",
             "Say a word that rhymes with {x}", "Find me a word that rhymes with {x}", "{x} rhymes with what?", "!Do you know a rhyme for {x}?",
             "!Give me a word that rhymes with {x}"]
    for pair in W.RHYMES.replace("\n", "|").strip("|").split("|"):
        x, y = pair.split()
        yield Fact("rhymes", x, f"{cap(y)} rhymes with {x}.", [f"{cap(y)} rhymes"], rhyme, {"x": x, "y": y},
                   ["{x} rhymes with~ {y}.", "a rhyme for {x} is~ {y}.", "a word that rhymes with {x} is~ {y}."])
    what = ["What is {x}?", "What kind of thing is {x}?", "What sort of thing is {x}?", "Tell me what {x} is", "{x} is what?", "What are {p}?",
            "Do you know what {x} is?", "What type of thing is {x}?", "Explain {x}", "What would you say {x} is?", "Can you explain what {x} is?",
            "Describe what {x} is", "Say what {x} is", "What do you call {x}?", "Describe {x}", "Please explain what {x} is to me",
            "!Explain what {x} is", "!What would you call {x}?"]
    for kind, nouns in W.KINDS.items():
        for n in nouns.split():
            yield Fact("kinds", n, f"{cap(a(n))} is {a(kind)}.", [f"is {a(kind)}"], what, {"x": a(n), "p": plural(n), "k": a(kind)}, ["{x} is~ {k}.",
            "what is {x}? It is~ {k}."])
    for kind, names in W.PLAIN_KINDS.items():
        for n in names.split():
            yield Fact("kinds", n, f"{cap(n)} is {a(kind)}.", [f"is {a(kind)}"], what[:5] + what[6:], {"x": n, "k": a(kind)}, ["{x} is~ {k}."])


def calendar_facts():
    """Days and months: order, lengths, yesterday and tomorrow."""
    after = ["What day comes after {x}?", "Which day comes after {x}?", "What is the day after {x}?", "Which day follows {x}?", "The day after {x}?",
             "If today is {x}, what day is tomorrow?", "Today is {x}. What day is tomorrow?", "What comes after {x}?", "Tell me the day after {x}",
             "What day follows {x}?", "{x} is followed by which day?", "After {x} comes what day?", "After {x} there is which day?",
             "Which day is right after {x}?", "What is the next day when today is {x}?", "What is the next day, after {x}, called?",
             "!After {x} comes which day?", "!What is the next day after {x}?"]
    before = ["What day comes before {x}?", "Which day comes before {x}?", "What is the day before {x}?", "The day before {x}?",
              "Tell me the day before {x}",
              "If today is {x}, what day was yesterday?", "Today is {x}. What day was yesterday?", "What comes before {x}?",
              "Which day is before {x}?",
              "Before {x} comes what day?", "Before {x} there is which day?", "Which day is right before {x}?", "What day stands before {x}?",
              "!Before {x} comes which day?", "!What day is right before {x}?"]
    for i, d in enumerate(W.DAYS):
        y, z = W.DAYS[(i + 1) % 7], W.DAYS[i - 1]
        s = {"x": d, "y": y, "z": z, "o": W.ORDINALS[i]}
        yield Fact("days", d, f"After {d} comes {y}.", [f"comes {y}"], after, s, ["after {x} comes~ {y}.", "the day after {x} is~ {y}.",
        "the next day after the {x} is~ {y}.", "the day that comes after {x} is~ {y}.", "the day right after {x} is~ {y}.",
        "{x} is followed by~ {y}.", "today is {x}, tomorrow is~ {y}.", "if today is {x}, the next day is~ {y}.", "after {x} the next day is~ {y}.",
        "{x}, then~ {y}.", "!the next day after {x} is~ {y}."])
        yield Fact("days", d, f"Before {d} comes {z}.", [f"comes {z}"], before, s, ["before {x} comes~ {z}.",
        "the day that comes before {x} is~ {z}.", "today is {x}, yesterday was~ {z}.", "right before {x} comes~ {z}.", "the day before {x} is~ {z}."])
        nth = ["What is the {o} day of the week?", "Which day is the {o} day of the week?", "What is day number {i} of the week?",
               "The {o} day of the week?",
               "Tell me the {o} day of the week", "!Name the {o} day of the week"]
        yield Fact("days", d, f"The {s['o']} day of the week is {d}.", [f"is {d}"], nth, dict(s, i=i + 1), ["the {o} day of the week is~ {x}."])
    after = ["What month comes after {x}?", "Which month comes after {x}?", "What is the month after {x}?", "Which month follows {x}?",
             "The month after {x}?",
             "What comes after {x}?", "Tell me the month after {x}", "What month follows {x}?", "{x} is followed by which month?",
             "After {x} comes what month?", "After {x} there is which month?", "Which month is right after {x}?",
             "Which is the next month after {x}?", "!After {x} comes which month?", "!What is the next month after {x}?"]
    before = ["What month comes before {x}?", "Which month comes before {x}?", "What is the month before {x}?", "The month before {x}?",
              "Tell me the month before {x}",
              "What comes before {x}?", "Which month is before {x}?", "Before {x} comes what month?", "Before {x} there is which month?",
              "Which month is right before {x}?", "!Before {x} comes which month?", "!What month is right before {x}?"]
    length = ["How many days does {x} have?", "How many days are in {x}?", "How long is {x}?", "What is the number of days in {x}?", "Days in {x}?",
              "Tell me how many days {x} has", "How many days are there in the month {x}?", "How many days are in the month of {x}?",
              "{x} has how many days?", "!How many days are there in {x}?"]
    nth = ["What is the {o} month of the year?", "Which month is the {o} month of the year?", "What is month number {i}?",
           "The {o} month of the year?",
           "What is the {o} month?", "Tell me the {o} month of the year", "!Name the {o} month of the year"]
    for i, m in enumerate(W.MONTHS):
        y, z = W.MONTHS[(i + 1) % 12], W.MONTHS[i - 1]
        s = {"x": m, "y": y, "z": z, "o": W.ORDINALS[i], "i": i + 1, "n": W.MONTH_DAYS[i]}
        yield Fact("months", m, f"After {m} comes {y}.", [f"comes {y}"], after, s, ["after {x} comes~ {y}.", "the next month after {x} is~ {y}.",
        "{x} is followed by~ {y}.", "the month that comes after {x} is~ {y}.", "right after {x} comes~ {y}.", "the month after {x} is~ {y}."])
        yield Fact("months", m, f"Before {m} comes {z}.", [f"comes {z}"], before, s, ["before {x} comes~ {z}.",
        "the month that comes before {x} is~ {z}.", "right before {x} comes~ {z}.", "the month before {x} is~ {z}."])
        yield Fact("months", m, f"{m} has {s['n']} days.", [f"has {s['n']} days"], length, s, ["the month {x} has~ {n} days.",
        "the month of {x} has~ {n} days.", "the number of days in {x} is~ {n}.", "{x} has~ {n} days."])
        yield Fact("months", m, f"The {s['o']} month of the year is {m}.", [f"is {m}"], nth, s, ["the {o} month of the year is~ {x}."])


def arithmetic_facts():
    """Sums and differences in 0..20, the times table and its divisions."""
    words = W.NUMBER_WORDS
    add = ["What is {a} + {b}?", "{a} + {b}", "{a}+{b}", "{a} + {b} =", "{a}+{b}=?", "What is {a} plus {b}?", "How much is {a} plus {b}?",
           "Add {a} and {b}",
           "Calculate {a} + {b}", "What is the sum of {a} and {b}?", "{a} plus {b}", "What is {wa} plus {wb}?", "{wa} plus {wb}",
           "How much is {a} + {b}?",
           "What does {a} + {b} make?", "What's {a}+{b}?", "How much is {wa} and {wb}?", "Please compute {a} plus {b}", "Compute this: {a} + {b}",
           "Can you compute {a} + {b}?", "Please work out {a} + {b}", "Can you work out {a} plus {b}?", "Work out this: {a} + {b}",
           "What do I get for {a} + {b}?", "What do you get from {a} plus {b}?", "What is the result of {a} + {b}?", "Tell me {a} plus {b}",
           "Solve {a} + {b}", "Do you know {a} + {b}?", "Compute the result of {a} + {b}", "Compute {a} plus {b}", "Work out {a} + {b}",
           "What do you get for {a} plus {b}?", "Give me {a} + {b}", "I want you to compute {a} + {b}", "What comes out of {a} + {b}?",
           "Find {a} + {b}", "Do {a} + {b}", "!Compute {a} + {b}", "!Work out {a} plus {b}", "!What do you get for {a} + {b}?"]
    sub = ["What is {a} - {b}?", "{a} - {b}", "{a}-{b}", "{a} - {b} =", "{a}-{b}=?", "What is {a} minus {b}?", "How much is {a} minus {b}?",
           "Subtract {b} from {a}",
           "Calculate {a} - {b}", "{a} minus {b}", "What is {wa} minus {wb}?", "{wa} minus {wb}", "How much is {a} - {b}?", "Take {b} away from {a}",
           "What's {a}-{b}?", "What does {a} - {b} make?", "Please compute {a} minus {b}", "Compute this: {a} - {b}", "Can you compute {a} - {b}?",
           "Please work out {a} - {b}", "Can you work out {a} minus {b}?", "Work out this: {a} - {b}", "What do I get for {a} - {b}?",
           "What do you get from {a} minus {b}?", "What is the result of {a} - {b}?", "Tell me {a} minus {b}", "Solve {a} - {b}",
           "Do you know {a} - {b}?", "Compute the result of {a} - {b}", "Compute {a} minus {b}", "Work out {a} - {b}",
           "What do you get for {a} minus {b}?", "Give me {a} - {b}", "I want you to compute {a} - {b}", "What comes out of {a} - {b}?",
           "Find {a} - {b}", "Do {a} - {b}", "!Compute {a} - {b}", "!Work out {a} minus {b}", "!What do you get for {a} - {b}?"]
    mul = ["What is {a} * {b}?", "{a} * {b}", "{a}*{b}", "{a} * {b} =", "{a} x {b}", "What is {a} times {b}?", "How much is {a} times {b}?",
           "Multiply {a} by {b}",
           "Calculate {a} * {b}", "{a} times {b}", "What is {wa} times {wb}?", "{wa} times {wb}", "How much is {a} * {b}?", "What is {a} x {b}?",
           "What's {a}*{b}?", "What does {a} * {b} make?", "What is {a} multiplied by {b}?", "Please compute {a} times {b}",
           "Compute this: {a} * {b}", "Can you compute {a} * {b}?", "Please work out {a} * {b}", "Can you work out {a} times {b}?",
           "Work out this: {a} * {b}", "What do I get for {a} * {b}?", "What do you get from {a} times {b}?", "What is the result of {a} * {b}?",
           "Tell me {a} times {b}", "Solve {a} * {b}", "Do you know {a} * {b}?", "Compute the result of {a} * {b}", "Compute {a} times {b}",
           "Work out {a} * {b}", "What do you get for {a} times {b}?", "Give me {a} * {b}", "I want you to compute {a} * {b}",
           "What comes out of {a} * {b}?", "Find {a} * {b}", "Do {a} * {b}", "!Compute {a} * {b}", "!Work out {a} times {b}",
           "!What do you get for {a} * {b}?"]
    div = ["What is {a} / {b}?", "{a} / {b}", "{a}/{b}", "{a} / {b} =", "What is {a} divided by {b}?", "How much is {a} divided by {b}?",
           "Divide {a} by {b}",
           "Calculate {a} / {b}", "{a} divided by {b}", "How much is {a} / {b}?", "What's {a}/{b}?", "Please compute {a} divided by {b}",
           "Compute this: {a} / {b}", "Can you compute {a} / {b}?", "Please work out {a} / {b}", "Can you work out {a} divided by {b}?",
           "Work out this: {a} / {b}", "What do I get for {a} / {b}?", "What do you get from {a} divided by {b}?", "What is the result of {a} / {b}?",
           "Tell me {a} divided by {b}", "Solve {a} / {b}", "Do you know {a} / {b}?", "Compute the result of {a} / {b}", "Compute {a} divided by {b}",
           "Work out {a} / {b}", "What do you get for {a} divided by {b}?", "Give me {a} / {b}", "I want you to compute {a} / {b}",
           "What comes out of {a} / {b}?", "Find {a} / {b}", "Do {a} / {b}", "!Compute {a} / {b}", "!Work out {a} divided by {b}"]

    def fact(category, x, y, sign, name, result, asks):
        slots = {"a": x, "b": y, "r": result}
        raws = [form.format(sign) for form in ("{{a}} {0} {{b}} =~ {{r}}.", "{{a}}{0}{{b}}=~{{r}}.", "the answer to {{a}} {0} {{b}} is~ {{r}}.",
                "what is {{a}} {0} {{b}}? It is~ {{r}}.",
                                         "the result of {{a}} {0} {{b}} is~ {{r}}.")]
        if max(x, y) <= 20:
            slots.update(wa=words[x], wb=words[y])
            raws.append("{a} " + name + " {b} is~ {r}.")
            if result <= 20:
                slots["wr"] = words[result]
                raws.append("{wa} " + name + " {wb} is~ {wr}.")
        return Fact(category, f"{x},{y}", f"{x} {sign} {y} = {result}.", [f"= {result}."], asks, slots, raws)

    for x in range(21):
        for y in range(21):
            yield fact("addition", x, y, "+", "plus", x + y, add)
            if y <= x:
                yield fact("subtraction", x, y, "-", "minus", x - y, sub)
    for x in range(11):
        for y in range(11):
            yield fact("multiplication", x, y, "*", "times", x * y, mul)
            if y and x:
                yield fact("division", x * y, y, "/", "divided by", x, div)


def comparison_facts():
    """Which is bigger, which is faster."""
    bigger = ["Which is bigger, {x} or {y}?", "What is bigger, {x} or {y}?", "Which is larger, {x} or {y}?", "What is larger: {x} or {y}?",
              "Is {x} or {y} bigger?",
              "Who is bigger, {x} or {y}?", "Tell me which is bigger, {x} or {y}", "Which one is bigger, {x} or {y}?", "{x} or {y}, which is bigger?",
              "Which of these is bigger, {x} or {y}?", "Of the two, which is bigger, {x} or {y}?", "{x} or {y}, who is bigger?",
              "{x} or {y}, which of the two is bigger?", "{x} or {y}: what is larger?", "!Which of the two is bigger, {x} or {y}?",
              "!{x} or {y}, what is bigger?"]
    smaller = ["Which is smaller, {x} or {y}?", "What is smaller, {x} or {y}?", "Is {x} or {y} smaller?", "Who is smaller, {x} or {y}?",
               "Tell me which is smaller, {x} or {y}",
               "Which one is smaller, {x} or {y}?", "{x} or {y}, which is smaller?", "Which of these is smaller, {x} or {y}?",
               "Of the two, which is smaller, {x} or {y}?", "{x} or {y}, who is smaller?", "{x} or {y}, which of the two is smaller?",
               "!Which of the two is smaller, {x} or {y}?", "!{x} or {y}, what is smaller?"]
    yesno = ["Is {x} bigger than {y}?", "Is {x} larger than {y}?", "{x} is bigger than {y}, right?", "Would you say {x} is bigger than {y}?",
             "Do you think {x} is bigger than {y}?", "Tell me whether {x} is bigger than {y}", "Can you tell me if {x} is bigger than {y}?",
             "Is it true that {x} is bigger than {y}?", "Do you know if {x} is bigger than {y}?", "!Tell me if {x} is bigger than {y}"]
    faster = ["Which is faster, {x} or {y}?", "What is faster, {x} or {y}?", "Is {x} or {y} faster?", "Who is faster, {x} or {y}?",
              "{x} or {y}, which is faster?",
              "Tell me which is faster, {x} or {y}", "Which one is faster, {x} or {y}?", "Which of these is faster, {x} or {y}?",
              "Of the two, which is faster, {x} or {y}?", "{x} or {y}, what is faster?", "{x} or {y}, which of the two is faster?",
              "!Which of the two is faster, {x} or {y}?"]
    slower = [t.replace("faster", "slower") for t in faster]
    for order, more, less, big, small in ((W.SIZES, bigger, smaller, "bigger", "smaller"), (W.SPEEDS, faster, slower, "faster", "slower")):
        for i, x in enumerate(order):
            for j, y in enumerate(order):
                if i == j:
                    continue
                top, bottom = (x, y) if i > j else (y, x)
                s = {"x": x, "y": y}
                key = f"{x},{y}"
                yield Fact("comparisons", key, f"{cap(top)} is {big} than {bottom}.", [f"{cap(top)} is {big}"], more, s)
                yield Fact("comparisons", key, f"{cap(bottom)} is {small} than {top}.", [f"{cap(bottom)} is {small}"], less, s)
                if order is W.SIZES:
                    answer = f"Yes, {x} is bigger than {y}." if i > j else f"No, {x} is smaller than {y}."
                    yield Fact("comparisons", key, answer, [answer[:-1]], yesno, s)


def job_facts():
    """Jobs."""
    who = ["Who {does}?", "Which job {does}?", "What is the name of a person who {does}?", "Who is the person who {does}?", "Tell me who {does}",
           "What do you call a person who {does}?", "What do we call someone who {does}?", "What person {does}?", "Which man or woman {does}?",
           "What kind of person {does}?", "Which sort of person {does}?", "Who is someone who {does}?", "What is the word for someone who {does}?",
           "How do you call someone who {does}?", "Which job has a person who {does}?", "!Which person {does}?",
           "!What do you call someone who {does}?"]
    what = ["What does {x} do?", "What is the job of {x}?", "What is {x}?", "What do {p} do?", "Tell me what {x} does", "What is the work of {x}?",
            "Who is {x}?",
            "What work does {x} do?", "What sort of work does {x} do?", "What kind of job does {x} have?", "Explain the job of {x}",
            "Describe what {x} does", "Can you explain what {x} does?", "Explain to me what {x} does", "Say what {x} does", "Explain the work of {x}",
            "Describe the job of {x}", "!What kind of work does {x} do?", "!Explain what {x} does"]
    for name, does in W.JOBS.values():
        s = {"x": a(name), "p": plural(name), "does": does}
        answer = f"{cap(a(name))} {does}."
        yield Fact("jobs", name, answer, [f"{a(name)[1:]} {does}"], who, s, ["a person who {does} is~ {x}."])
        yield Fact("jobs", name, answer, [f"{a(name)[1:]} {does}"], what, s, ["{x} is a person who~ {does}."])


def text_facts():
    """Simple facts, small talk and what this program is: each with its own written phrasings."""
    for answer, accept, raw, *asks in rows(W.FACTS):
        question = asks[0]
        raws = [lead + raw for lead in ("", "", "we know that ", "everybody knows: ")]
        yield Fact("facts", "", answer, [accept], asks, {}, raws)
    for category, table in (("small talk", W.TALK), ("this program", W.PRODUCT)):
        for answer, accept, *asks in rows(table):
            yield Fact(category, "", answer, [accept], asks)


# ---------------------------------------------------------------- turns made on the fly


def pick(rng, category, templates, key, held):
    """A phrasing that may be used for this key, with the sort of hold-out; None if there is none."""
    pool = [t for t in templates if is_held(category, t, key) == held]
    if not pool:
        return None, ""
    template = rng.choice(pool)
    return template.lstrip("!"), (("phrasing" if template.startswith("!") else "pair") if held else "")


def made(category, rng, held, templates, key, slots, answer, accept):
    """A turn from a phrasing, or None."""
    template, kind = pick(rng, category, templates, key, held)
    if template is None:
        return None
    return Turn(category, cap(template.format(**slots)), answer, accept, kind)


def count_turn(rng, held):
    """Counting up and down."""
    if rng.random() < 0.6:
        n = rng.randint(1, 20)
        asks = ["Count to {n}", "Count from 1 to {n}", "Can you count to {n}?", "Please count to {n}", "Count up to {n}",
                "Can you count from 1 to {n}?",
                "Say the numbers from 1 to {n}", "Write the numbers from 1 to {n}", "Count from one to {w}", "Count to {w}",
                "Could you count from 1 to {n}?", "Could you please count up to {n}?", "I want you to count to {n}", "List numbers from 1 to {n}",
                "List all the numbers up to {n}", "Start at 1 and count to {n}", "Would you count to {n}?", "!Could you count to {n}?",
                "!List the numbers from 1 to {n}"]
        text = ", ".join(map(str, range(1, n + 1))) + "."
        return made("counting", rng, held, asks, f"up{n}", {"n": n, "w": W.NUMBER_WORDS[n]}, text, [text])
    if rng.random() < 0.5:
        n = rng.randint(2, 15)
        asks = ["Count down from {n}", "Count backwards from {n}", "Count down from {n} to 1", "Can you count down from {n}?",
                "Count backwards from {n} to 1",
                "Please count down from {n}", "Could you count backwards from {n}?", "Would you count down from {n}?", "Start at {n} and count down",
                "!Could you count down from {n}?"]
        text = ", ".join(map(str, range(n, 0, -1))) + "."
        return made("counting", rng, held, asks, f"down{n}", {"n": n}, text, [text])
    x = rng.randint(1, 15)
    y = x + rng.randint(2, 8)
    asks = ["Count from {x} to {y}", "Can you count from {x} to {y}?", "Say the numbers from {x} to {y}", "Write the numbers from {x} to {y}",
            "List numbers from {x} to {y}", "List all the numbers from {x} up to {y}", "Start at {x} and count to {y}", "Count up from {x} to {y}",
            "Could you count from {x} to {y}?", "!List the numbers from {x} to {y}"]
    text = ", ".join(map(str, range(x, y + 1))) + "."
    return made("counting", rng, held, asks, f"{x}-{y}", {"x": x, "y": y}, text, [text])


def number_turn(rng, held):
    """The number after or before, even or odd, the bigger of two numbers."""
    kind = rng.randrange(4)
    n = rng.randint(1, 99)
    if kind == 0:
        asks = ["What number comes after {n}?", "Which number comes after {n}?", "What comes after {n}?", "What is the number after {n}?",
                "What is one more than {n}?",
                "The number after {n}?", "What is the next number after {n}?", "After {n} there is which number?", "What number follows {n}?",
                "Which number is just after {n}?", "After {n} comes what number?", "Which number follows after {n}?",
                "{n} is followed by which number?", "After {n} comes the number?", "What follows {n}?", "Tell me the number after {n}",
                "!Which number follows {n}?", "!After {n} comes which number?"]
        return made("numbers", rng, held, asks, f"a{n}", {"n": n}, f"After {n} comes {n + 1}.", [f"comes {n + 1}."])
    if kind == 1:
        asks = ["What number comes before {n}?", "Which number comes before {n}?", "What comes before {n}?", "What is the number before {n}?",
                "What is one less than {n}?",
                "The number before {n}?", "Before {n} there is which number?", "Which number stands before {n}?", "Which number is just before {n}?",
                "Before {n} comes what number?", "Before {n} comes the number?", "Tell me the number before {n}", "What number stands before {n}?",
                "What number is before {n}?", "!Before {n} comes which number?"]
        return made("numbers", rng, held, asks, f"b{n}", {"n": n}, f"Before {n} comes {n - 1}.", [f"comes {n - 1}."])
    if kind == 2:
        word = "odd" if n % 2 else "even"
        asks = ["Is {n} even or odd?", "Is {n} odd or even?", "Is the number {n} even or odd?", "{n} is even or odd?", "Even or odd: {n}?",
                "Tell me whether {n} is even or odd", "Tell me if the number {n} is odd or even", "Can you tell me if {n} is even or odd?",
                "Do you know if {n} is odd or even?", "Even or odd, what is {n}?", "!Tell me if {n} is even or odd"]
        return made("numbers", rng, held, asks, f"e{n}", {"n": n}, f"{n} is {word}.", [f"is {word}"])
    m = rng.choice([k for k in range(0, 100) if k != n])
    top, bottom = max(n, m), min(n, m)
    if rng.random() < 0.5:
        asks = ["Which number is bigger, {n} or {m}?", "Which is bigger, {n} or {m}?", "What is bigger, {n} or {m}?", "Which is more, {n} or {m}?",
                "Is {n} or {m} bigger?",
                "Which of these is bigger, {n} or {m}?", "Which of the two numbers is bigger, {n} or {m}?",
                "Of the two, which is bigger, {n} or {m}?", "{n} or {m}, which is bigger?", 
                "!Which of the two is bigger, {n} or {m}?"]
        return made("numbers", rng, held, asks, f"c{n},{m}", {"n": n, "m": m}, f"{top} is bigger than {bottom}.", [f"{top} is bigger than {bottom}."])
    asks = ["Which number is smaller, {n} or {m}?", "Which is smaller, {n} or {m}?", "What is smaller, {n} or {m}?", "Which is less, {n} or {m}?",
            "Is {n} or {m} smaller?",
            "Which of these is smaller, {n} or {m}?", "Which of the two numbers is smaller, {n} or {m}?", "Of the two, which is smaller, {n} or {m}?",
            "{n} or {m}, which is smaller?", 
                "!Which of the two is smaller, {n} or {m}?"]
    return made("numbers", rng, held, asks, f"d{n},{m}", {"n": n, "m": m}, f"{bottom} is smaller than {top}.", [f"{bottom} is smaller than {top}."])


THINGS = "apples bananas balls books cookies coins cats dogs eggs flowers stars pencils toys birds fish".split()


def word_problem_turn(rng, held):
    """Tiny word problems."""
    x, y, t = rng.randint(1, 10), rng.randint(1, 10), rng.choice(THINGS)
    if rng.random() < 0.5:
        asks = ["I have {x} {t} and get {y} more. How many {t} do I have?", "I have {x} {t} and you give me {y} more. How many {t} do I have now?",
                "There are {x} {t}. Then {y} more come. How many {t} are there?", "I have {x} {t}. I buy {y} more. How many do I have?",
                "I had {x} {t}. I got {y} more. How many {t} do I have now?", "I had {x} {t} and found {y} more. How many {t} do I have?",
                "I had {x} {t} and bought {y} more. How many {t} do I have now?", "I had {x} {t} and then got {y}. How many {t} do I have?",
                "I have {x} {t} and find {y} more. How many {t} do I have now?", "I got {x} {t} and then {y} more {t}. How many {t} are there?",
                "Tom has {x} {t} and gets {y} more. How many {t} does he have?",
                "Anna had {x} {t} and found {y} more. How many {t} does she have now?", "We had {x} {t} and got {y} more. How many {t} do we have?",
                "There were {x} {t} and {y} more came. How many {t} are there now?",
                "You have {x} {t} and I give you {y} more. How many {t} do you have?",
                "A box has {x} {t}. I put in {y} more. How many {t} are in the box?", 
                "!I had {x} {t} and got {y} more. How many {t} do I have now?"]
        return made("word problems", rng, held, asks, f"{x}+{y}{t}", {"x": x, "y": y, "t": t}, f"{x} + {y} = {x + y}. That makes {x + y} {t}.",
        [f"makes {x + y} {t}."])
    x, y = max(x, y), min(x, y)
    left = "1 " + t.removesuffix("s") if x - y == 1 else f"{x - y} {t}"
    asks = ["I have {x} {t} and lose {y}. How many {t} do I have?", "I have {x} {t} and give away {y}. How many {t} are left?",
            "There are {x} {t}. Then {y} go away. How many {t} are left?", "I have {x} {t}. I give you {y}. How many do I have?",
            "I had {x} {t}. I lost {y}. How many {t} are left?", "I had {x} {t} and lost {y}. How many {t} do I have now?",
            "I had {x} {t} and gave away {y} of them. How many {t} are left?", "I had {x} {t} and sold {y} of them. How many {t} do I have?",
            "I had {x} {t} but then I lost {y}. How many {t} are left?", "I have {x} {t} and lose {y} of them. How many are left?",
            "Tom has {x} {t} and loses {y}. How many {t} does he have?", "Anna had {x} {t} and lost {y}. How many {t} does she have now?",
            "We had {x} {t} and gave away {y}. How many {t} do we have?", "There were {x} {t} and {y} of them went away. How many {t} are left?",
            "You have {x} {t} and lose {y} of them. How many {t} do you have?",
            "A box has {x} {t}. I take out {y}. How many {t} are left in the box?", "I had {x} {t} and {y} of them are gone. How many {t} are left?", 
            "!I had {x} {t} and lost {y} of them. How many {t} are left?"]
    return made("word problems", rng, held, asks, f"{x}-{y}{t}", {"x": x, "y": y, "t": t}, f"{x} - {y} = {x - y}. That makes {left}.",
    [f"makes {left}."])


ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def all_words():
    """Every plain word of the world: what the spelling tasks use."""
    words = set(W.PLURAL_NOUNS.split()) | set(W.EXTRA_WORDS.split()) | set(opposites())
    words |= {r[0] for r in rows(W.ANIMALS)}
    for nouns in list(W.KINDS.values()) + list(W.PLAIN_KINDS.values()):
        words |= set(nouns.split())
    return sorted(w for w in words if w.isalpha() and w.islower())


WORDS = all_words()


def spelling_turn(rng, held):
    """Spelling, first letters, capitals, the alphabet."""
    w = rng.choice(WORDS)
    kind = rng.random()
    s = {"w": w}
    if kind < 0.5:
        asks = ["Spell {w}", "Spell the word {w}", "How do you spell {w}?", "How is {w} spelled?", "Can you spell {w}?", "How do I spell {w}?",
                "Please spell {w}",
                "Spell the word \"{w}\"", "Tell me how to spell {w}", "What is the spelling of {w}?", "Could you tell me how to spell {w}?",
                "How is the word {w} written?", "Could you spell the word {w}?", "Would you spell {w}?", "I want you to spell {w}",
                "How do we spell the word {w}?", "How is {w} written?", "How do you write the word {w} letter by letter?", "Spell it: {w}",
                "Spell {w} for me", "Spell this word: {w}", "What are the letters of {w}?", "{w}, how is it spelled?", "{w}, how do you spell that?",
                "How is this word spelled: {w}?", "Show me how to spell {w}", "!Could you spell {w}?", "!How is the word {w} spelled?"]
        text = f"{w} is spelled {'-'.join(w)}."
        return made("spelling", rng, held, asks, w, s, text, [f"spelled {'-'.join(w)}."])
    if kind < 0.65:
        asks = ["What letter does {w} start with?", "What is the first letter of {w}?", "Which letter does {w} start with?",
                "{w} starts with which letter?",
                "The first letter of {w}?", "With what letter does {w} start?", "With which letter does the word {w} begin?",
                "With what letter does {w} begin?", "What letter is at the start of {w}?", "Tell me the first letter of {w}",
                "What letter does the word {w} begin with?", "Which letter comes first in {w}?", "!With which letter does {w} start?"]
        return made("spelling", rng, held, asks, "f" + w, s, f"{w} starts with {w[0]}.", [f"starts with {w[0]}."])
    if kind < 0.8:
        asks = ["Write {w} in capital letters", "Write {w} in capitals", "Say {w} in capital letters", "{w} in capital letters",
                "Put {w} in capital letters",
                "Make {w} upper case", "Write {w} in upper case", "Can you say {w} in capital letters?", "Can you put {w} in capital letters?",
                "Can you write {w} in upper case?", "Could you write {w} in capital letters?", "Please write {w} in capital letters",
                "Write the word {w} in capital letters", "Write {w} in big letters", "!Can you write {w} in capital letters?"]
        return made("spelling", rng, held, asks, "c" + w, s, w.upper(), [w.upper()])
    i = rng.randrange(26)
    if i == 25 or rng.random() < 0.1:
        asks = ["Say the alphabet", "What is the alphabet?", "Tell me the alphabet", "Write the alphabet", "Can you say the alphabet?",
                "List all letters of the alphabet", "List the alphabet", "What are the letters of the alphabet?",
                "Give me the letters of the alphabet", "Show me the alphabet", "Write down the alphabet", "!List the letters of the alphabet"]
        return made("spelling", rng, held, asks, "", s, " ".join(ALPHABET), [" ".join(ALPHABET)])
    x, y = ALPHABET[i], ALPHABET[i + 1]
    asks = ["What letter comes after {x}?", "Which letter comes after {x}?", "What comes after {x}?", "What is the letter after {x}?",
            "What is the next letter after {x}?",
            "After {x} comes what letter?", "After {x} there is which letter?", "After the letter {x} comes which one?", "Which letter follows {x}?",
            "What letter follows {x}?", "{x} is followed by which letter?", "Which letter is right after {x}?", "Which letter stands after {x}?",
            "After {x} what letter comes?", "Tell me the letter after {x}", "!After {x} comes which letter?"]
    return made("spelling", rng, held, asks, "n" + x, {"x": x.upper() if rng.random() < 0.3 else x}, f"After {x} comes {y}.", [f"comes {y}."])


TIMES = {1: ["once", "one time"], 2: ["twice", "two times", "2 times"], 3: ["three times", "3 times"], 4: ["four times", "4 times"], 5: ["five times",
"5 times"]}


def repeat_turn(rng, held):
    """Saying a word, several times or once."""
    w = rng.choice(WORDS) if rng.random() < 0.6 else low(invented(rng))
    if rng.random() < 0.4:
        asks = ["Say {w}", "Repeat {w}", "Repeat the word {w}", "Say the word {w}", "Please say {w}", "Can you say {w}?", "Write the word {w}",
                "Repeat after me: {w}", "Write {w}",
                "Please repeat the word {w}", "Please repeat this word: {w}", "Please repeat after me: {w}", "Could you repeat {w}?",
                "Can you repeat {w}?", "Could you please repeat {w}?", "Repeat {w} please", "Repeat {w} for me", "Repeat: {w}", "Say: {w}",
                "Could you say {w}?", "Could you repeat the word {w}?", "Would you repeat {w}?", "Now repeat {w}", "I want you to repeat {w}",
                "Please write {w}", "Please say the word {w}", "Can you say the word {w}?", "Can you write the word {w}?", "Now say {w}",
                "Just say {w}", "!Please repeat {w}", "!Can you repeat the word {w}?"]
        return made("repeating", rng, held, asks, w, {"w": w}, w, [w])
    n = rng.randint(2, 5)
    asks = ["Say {w} {n}", "Repeat {w} {n}", "Repeat the word {w} {n}", "Say the word {w} {n}", "Please say {w} {n}", "Can you say {w} {n}?",
            "Write {w} {n}",
            "Write the word {w} {n}", "Please repeat the word {w} {n}", "Please repeat it {n}: {w}", "Please repeat {n}: {w}",
            "Could you repeat {w} {n}?", "Can you repeat {w} {n}?", "Could you please repeat {w} {n}?", "Repeat {w} {n} please",
            "Repeat {w} for me {n}", "Repeat {n}: {w}", "Say {n}: {w}", "{n}: {w}", "Could you say {w} {n}?", "Would you repeat {w} {n}?",
            "Now repeat {w} {n}", "I want you to repeat {w} {n}", "Please write {w} {n}", "Please say the word {w} {n}",
            "Can you say the word {w} {n}?", "Can you write the word {w} {n}?", "Could you repeat the word {w} {n}?", "Now say {w} {n}",
            "Just say {w} {n}", "!Please repeat {w} {n}", "!Can you repeat the word {w} {n}?"]
    text = " ".join([w] * n)
    return made("repeating", rng, held, asks, f"{w}{n}", {"w": w, "n": rng.choice(TIMES[n])}, text, [text])


def list_turn(rng, held):
    """Lists of n things of a kind."""
    kind = rng.choice(sorted(W.LISTS))
    items = W.LISTS[kind].split("|")
    n = rng.randint(2, min(5, len(items)))
    if kind in ("days", "months", "seasons") and rng.random() < 0.3:
        n = len(items) if kind != "months" else 5
    asks = ["List {n} {k}", "Name {n} {k}", "Tell me {n} {k}", "Give me {n} {k}", "List {w} {k}", "Name {w} {k}", "Tell me {w} {k}",
            "Give me {w} {k}", "Can you name {w} {k}?",
            "Can you list {n} {k}?", "What are {w} {k}?", "Write down {w} {k}", "I need {w} {k}", "Do you know {w} {k}?", "Please list {n} {k}",
            "List {w} {k} for me", "Please name {w} {k}", "Could you tell me {w} {k}?", "Could you list {w} {k}?", "Could you name me {n} {k}?",
            "Could you give me {w} {k}?", "Please list {w} {k}", "Please name {n} {k} for me", "Would you list {w} {k}?", "Say {w} {k}",
            "I want {w} {k}", "Name me {w} {k}", "List me {n} {k}", "Write {w} {k}", "!Could you name {w} {k}?", "!Please list {w} {k} for me"]
    text = cap(joined(items[:n])) + "."
    return made("lists", rng, held, asks, f"{kind}{n}", {"n": n, "w": W.NUMBER_WORDS[n], "k": kind}, text, [text])


def color_check_turn(rng, held):
    """Is the sky blue?"""
    colors = sorted(W.COLORS)
    color = rng.choice(colors)
    thing = rng.choice(W.COLORS[color].split("|"))
    guess = color if rng.random() < 0.4 else rng.choice([c for c in colors if c != color])
    asks = ["Is {x} {c}?", "Is the color of {x} {c}?", "Would you say {x} is {c}?", "Do you think {x} is {c}?", "{x} is {c}, right?",
            "Is it true that {x} is {c}?",
            "Tell me whether {x} is {c}", "Am I right to say that {x} is {c}?", "Am I right to think {x} is {c}?", "Can you tell me if {x} is {c}?",
            "Am I wrong that {x} is {c}?", "Tell me: is {x} {c}?", "Do you know if {x} is {c}?", "Can you say if {x} is {c}?",
            "Tell me please whether {x} is {c}", "Am I right, is {x} {c}?", "Is it right that {x} is {c}?", "I think {x} is {c}. Is that right?",
            "{x} is {c}, true?", "!Tell me if {x} is {c}", "!Am I right that {x} is {c}?"]
    answer = f"Yes, {thing} is {color}." if guess == color else f"No, {thing} is {color}."
    return made("color checks", rng, held, asks, f"{thing}{guess}", {"x": thing, "c": guess}, answer, [answer[:-1]])


OUTSIDE_TEMPLATES = [t for t in W.OUTSIDE.replace("\n", "|").split("|") if t]


def outside_turn(rng, held):
    """A question outside the world; the answer is the polite refusal."""
    while True:
        template = rng.choice(OUTSIDE_TEMPLATES)
        kind = "phrasing" if template.startswith("!") else ""
        if kind and not held:
            continue
        slots = {}
        for name, values in W.OUTSIDE_SLOTS.items():
            if "{" + name + "}" not in template:
                continue
            pool = [v for v in values.split("|") if held or not v.startswith("!")]
            value = rng.choice(pool)
            if value.startswith("!"):
                kind = kind or "pair"
            slots[name] = value.lstrip("!")
        if "{unknown" in template and not held and rng.random() < 0.5:
            slots = {k: odd_name(rng, k) if k.startswith("unknown") else v for k, v in slots.items()}
        if held and not kind:
            continue
        slots.update(year=rng.randint(1900, 2024), bignum=rng.randint(101, 9999), bignum2=rng.randint(101, 9999))
        user = cap(template.lstrip("!").format(**slots))
        return Turn("outside", user, W.REFUSAL, ["tiny demo", "I do not know that"], kind)


def odd_name(rng, slot):
    """An invented thing, country or word for the questions outside the world."""
    name = invented(rng)
    return {"unknown_thing": a(name.lower()), "unknown_country": name}.get(slot, name.lower())


# ---------------------------------------------------------------- names and memory


def invented(rng):
    """An invented name, such as 'Zorbin'."""
    def syllable():
        return (rng.choice("b c d f g h j k l m n p r s t v w z br ch cl dr fr gr kr pl st th tr".split())
                + rng.choice("a e i o u ai ee ia io".split()) + rng.choice(["", "", "", "l", "n", "r", "s", "m", "k", "x", "t"]))
    return cap("".join(syllable() for _ in range(rng.choice([1, 2, 2, 2, 3]))))


def person(rng, held):
    """A user's name: from the list, or invented."""
    if held:
        return rng.choice(W.HELD_OUT_NAMES) if rng.random() < 0.6 else invented(rng)
    name = rng.choice(W.NAMES.split()) if rng.random() < 0.45 else invented(rng)
    return name.lower() if rng.random() < 0.12 else name


TELL_NAME = ["My name is {n}", "My name is {n}.", "I am {n}", "I'm {n}", "Call me {n}", "Hi, I am {n}", "Hello, my name is {n}.",
             "Hi, my name is {n}", "Hello, I'm {n}.", "The name is {n}",
             "My name's {n}", "Hey, I'm {n}", "Please call me {n}", "I am called {n}", "You may call me {n}", "Everybody calls me {n}",
             "My friends call me {n}", "Good morning, my name is {n}", "Good evening, I am {n}", "Hey, my name is {n}", "{n} is my name",
             "I go by {n}", "Just call me {n}", "It is {n} here", "They call me {n}", "Nice to meet you, I am {n}", "!You can call me {n}",
             "!Good day, my name is {n}"]
ASK_NAME = ["What is my name?", "What's my name?", "Do you remember my name?", "Do you know my name?", "Who am I?", "Tell me my name", "Say my name",
            "My name?", "What am I called?",
            "What was my name?", "Remember my name?", "How am I called?", "Can you tell me my name?", "Do you still remember my name?",
            "Do you know who I am?", "What did I tell you my name is?", "What name did I tell you?", "What did I say I am called?",
            "I told you my name. What is it?", "Could you tell me my name?", "Can you remember my name?", "Can you tell me who I am?",
            "Did I tell you my name?", "What did I say? What is my name?", "What did I call myself?", "Please tell me my name", "Please say my name",
            "Could you say my name?", "By the way, what is my name?", "Have you forgotten my name?", "So what is my name?",
            "!Do you still know my name?", "!What did I say my name was?", "!Can you say my name?"]
TELL_PET = ["I have a {p} named {n}", "I have a {p} called {n}", "My {p} is called {n}", "My {p} is named {n}", "The name of my {p} is {n}",
            "My {p}'s name is {n}", "I've got a {p} called {n}", "I have a {p}, its name is {n}", "I got a {p}. It is called {n}",
            "At home I have a {p} named {n}", "Our {p} is called {n}", "I have got a {p}. Its name is {n}", "There is a {p} at my home named {n}",
            "!I have got a {p} named {n}"]
ASK_PET = ["What is the name of my {p}?", "What is my {p} called?", "What is my {p}'s name?", "Do you remember the name of my {p}?",
           "How is my {p} called?", "Tell me the name of my {p}",
           "What was my {p} called?", "What was my {p}'s name?", "Do you know the name of my {p}?", "Do you know my {p}'s name?",
           "Do you remember what my {p} is called?", "Can you tell me the name of my {p}?", "Tell me what my {p} is called", "My {p}'s name?",
           "What did I say my {p} is called?", "Do you still know the name of my {p}?", "!What was the name of my {p}?",
           "!Do you know what my {p} is called?"]
TELL_COLOR = ["My favorite color is {c}", "I like {c} the most", "The color I like best is {c}", "I love the color {c}", "I like the color {c}",
              "My favourite color is {c}", "The best color for me is {c}", "My favorite is {c}", "I like {c} best", "The color I love is {c}",
              "!My best color is {c}"]
ASK_COLOR = ["What is my favorite color?", "Which color do I like?", "What color do I like?", "Do you remember my favorite color?",
             "Which color is my favorite?", "Tell me my favorite color",
             "What was the color I like?", "Do you know which color I like?", "Can you tell me my favorite color?", "Do you know what color I like?",
             "What is the color I like best?", "What did I say my favorite color is?", "My favorite color?", "Do you still know my favorite color?",
             "!Do you know my favorite color?", "!What was my favorite color?"]
TELL_AGE = ["I am {k} years old", "I'm {k} years old", "My age is {k}", "I am {k}", "I am {k} years old now", "This year I am {k}", "I turned {k}",
            "I just turned {k} years old", "I became {k} this year", "I will be {k} this year", "I have turned {k} today", "My age is {k} years",
            "!I turned {k} this year"]
ASK_AGE = ["How old am I?", "What is my age?", "Do you remember my age?", "Do you remember how old I am?", "Tell me my age", "Do you know my age?",
           "Can you tell me how old I am?", "Tell me how old I am", "What did I say? How old am I?", "Do you still know my age?",
           "What is my age in years?", "Do you still remember how old I am?", "!Do you know how old I am?"]
PETS = "dog cat bird fish rabbit horse mouse turtle".split()
UNKNOWN = "You have not told me that yet."


def one(rng, templates, held):
    """A random phrasing of the wanted sort."""
    return rng.choice([t for t in templates if t.startswith("!") == held]).lstrip("!")


def tell(rng, memory, held):
    """The user says something to remember; `memory` is updated."""
    what = rng.choice(["name", "name", "name", "pet", "color", "age"])
    if what == "name":
        n = person(rng, held)
        memory["name"] = n
        return Turn("memory", one(rng, TELL_NAME, held).format(n=n), f"Nice to meet you, {n}!", [f"meet you, {n}!"])
    if what == "pet":
        p, n = rng.choice(PETS), person(rng, held)
        memory["pet " + p] = n
        return Turn("memory", one(rng, TELL_PET, held).format(p=p, n=n), f"{n} is a nice name for a {p}!", [f"{n} is a nice"])
    if what == "color":
        c = rng.choice(sorted(W.COLORS))
        memory["color"] = c
        return Turn("memory", one(rng, TELL_COLOR, held).format(c=c), f"{cap(c)} is a nice color!", [f"{cap(c)} is a nice"])
    k = rng.randint(3, 90)
    memory["age"] = k
    return Turn("memory", one(rng, TELL_AGE, held).format(k=k), f"{k} is a good age!", [f"{k} is a good"])


def recall(rng, memory, held, known=True):
    """The user asks for something told before (known) or never told."""
    options = ["name", "name", "color", "age"] + ["pet " + p for p in PETS]
    options = [o for o in options if (o in memory) == known]
    if known and "name" in options:
        options += ["name"] * 2
    if not options:
        return None
    what = rng.choice(options)
    value = memory.get(what)
    if what == "name":
        answer = f"Your name is {value}." if known else "You have not told me your name yet."
        return Turn("memory", one(rng, ASK_NAME, held), answer, [answer[:-1]])
    if what == "color":
        answer = f"Your favorite color is {value}." if known else UNKNOWN
        return Turn("memory", one(rng, ASK_COLOR, held), answer, [answer[:-1]])
    if what == "age":
        answer = f"You are {value} years old." if known else UNKNOWN
        return Turn("memory", one(rng, ASK_AGE, held), answer, [answer[:-1]])
    p = what[4:]
    answer = f"Your {p} is named {value}." if known else UNKNOWN
    return Turn("memory", one(rng, ASK_PET, held).format(p=p), answer, [answer[:-1]])


# ---------------------------------------------------------------- stories

PROBLEMS = [
    ("{N} wanted to find a friend.", "One day {N} met a {o} who was all alone.", "They played together until the evening.",
    "From that day on they were best friends."),
    ("{N} lost a red ball.", "A {o} helped to look for it.", "They found the ball behind a big tree.", "{N} said thank you and was very happy."),
    ("{N} was afraid of the dark.", "A {o} gave {N} a small lamp.", "The light was warm and soft.", "After that, {N} was never afraid at night."),
    ("{N} wanted to see the sea.", "A {o} showed {N} the way.", "They walked all day and then they saw the blue water.",
    "It was the best day of all."),
    ("{N} was very hungry.", "A {o} came by with a basket of apples.", "They sat down and shared the apples.",
    "Then they both laughed and were not hungry anymore."),
    ("{N} found a golden key.", "A {o} said that it opened a secret door.", "Behind the door was a garden full of flowers.",
    "They went there every day to play."),
    ("{N} wanted to learn to sing.", "A {o} taught {N} a little song.", "They sang it again and again.",
    "Soon everybody came to listen and was glad."),
    ("{N} was caught in the rain.", "A {o} had a big umbrella.", "They walked home together under it.", "At home they drank warm milk and smiled."),
]


def story(rng, who, name):
    """A story of five or six sentences about a character."""
    if who in STORY_NAMES_OF:
        other = rng.choice([x for x in W.STORY_ANIMALS if x != who])
    else:
        other = rng.choice(W.STORY_ANIMALS)
    problem = rng.choice(PROBLEMS)
    lines = [f"Once upon a time there was a {rng.choice(W.STORY_ADJ)} {who} named {name}.",
             f"{name} lived {rng.choice(W.STORY_PLACES)}."]
    text = " ".join(lines + [line.format(N=name, o=other) for line in problem])
    return re.sub(r"\b([Aa]) (owl|elephant)\b", r"\1n \2", text)


STORY_NAMES_OF = set(W.STORY_ANIMALS)


def story_turn(rng, held):
    """Tell me a story about a cat."""
    who = rng.choice(W.STORY_ANIMALS + W.STORY_PEOPLE)
    named = rng.random() < 0.35
    name = person(rng, held) if named else rng.choice(W.STORY_NAMES)
    name = cap(name)
    asks = ["Tell me a story about {x}", "Tell a story about {x}", "Can you tell me a story about {x}?", "Write a story about {x}",
            "A story about {x} please", "I want a story about {x}",
            "Tell me a short story about {x}", "Write a tiny story about {x}", "Story about {x}", "Give me a story about {x}",
            "Make up a story about {x}", "Please tell me a story about {x}",
            "Do you know a story about {x}?", "Could you tell a story about {x}?", "Could you write a story about {x}?",
            "Could you please tell me a story with {x}?", "I would like a story about {x}", "I want to hear a story about {x}",
            "I would like you to tell a story about {x}", "Let me hear a story about {x}", "Write me a story about {x}",
            "Write me a short story about {x}", "Tell me a little story about {x}", "Give me a little story about {x}",
            "Tell me about {x} in a story", "I need a story about {x}", "!Could you tell me a story about {x}?",
            "!I would like to hear a story about {x}", "!Write me a little story about {x}"]
    if rng.random() < 0.12 and not named:
        asks = ["Tell me a story", "Tell a story", "Can you tell me a story?", "Write a story", "A story please", "I want a story",
                "Tell me something nice",
                "Could you tell a story?", "Could you please tell a story?", "I would like a story", "I want to hear a story",
                "I would love to hear a tiny story", "I would like you to tell a story", "Let me hear a story", "Write me a story",
                "Please tell me a story", "Do you know a story?", "Give me a story", "Tell me a tiny story", "I need a story",
                "Would you tell me a story?", "Can I hear a story?", "I like to hear stories. Tell me one", "!Could you tell me a story?",
                "!I would like to hear a story"]
        return made("stories", rng, held, asks, "", {}, story(rng, who, name), ["Once upon a time there was a"])
    x = f"{a(who)} named {name}" if named else a(who)
    accept = f"{who} named {name}" if named else f"{who} named"
    return made("stories", rng, held, asks, "" if named else who, {"x": x}, story(rng, who, name), [accept])


# ---------------------------------------------------------------- the whole world

FACT_SOURCES = (color_facts, animal_facts, capital_facts, word_facts, calendar_facts, arithmetic_facts, comparison_facts, job_facts, text_facts)
MAKERS = {"counting": count_turn, "numbers": number_turn, "word problems": word_problem_turn, "spelling": spelling_turn, "repeating": repeat_turn,
          "lists": list_turn, "color checks": color_check_turn, "outside": outside_turn, "stories": story_turn}
WEIGHTS = {"colors": 6, "animal sounds": 3, "animal legs": 2, "animal young": 4, "animal homes": 3, "animal kinds": 2, "animal food": 3, "animal flight": 1.5,
           "kinds": 3, "capitals": 5, "capitals back": 3, "continents": 2, "opposites": 5, "plurals": 4, "rhymes": 1.5, "days": 2, "months": 3,
           "addition": 9, "subtraction": 6, "multiplication": 5, "division": 3, "comparisons": 4, "jobs": 1.5, "facts": 7, "small talk": 8, "this program": 9,
           "counting": 3, "numbers": 4, "word problems": 5, "spelling": 6, "repeating": 5, "lists": 2, "color checks": 2, "outside": 12, "stories": 4}


def build_facts():
    """All facts by category."""
    table = {}
    for source in FACT_SOURCES:
        for fact in source():
            table.setdefault(fact.category, []).append(fact)
    return table


FACTS = build_facts()
CATEGORIES = sorted(WEIGHTS)
RAW_CATEGORIES = [c for c in CATEGORIES if any(f.raws for f in FACTS.get(c, []))]


def turn_of(rng, category, held):
    """A random turn of a category, or None when the draw has no phrasing of that sort."""
    if category in MAKERS:
        return MAKERS[category](rng, held)
    return rng.choice(FACTS[category]).turn(rng, held)


def random_turn(rng):
    """A random training turn."""
    while True:
        category = rng.choices(CATEGORIES, [WEIGHTS[c] for c in CATEGORIES])[0]
        turn = turn_of(rng, category, False)
        if turn:
            return turn


def follow_up(rng, turn):
    """'And a cow?' after a question about an animal's sound and the like."""
    fact = rng.choice(FACTS[turn.category])
    if not fact.follow or (turn.category == "colors" and fact.key.endswith("s") != turn.fact.key.endswith("s")):
        return None
    user = rng.choice(["And {x}?", "What about {x}?", "And what about {x}?", "How about {x}?", "And {x}"]).format(x=fact.follow)
    return Turn(turn.category, user, fact.answer, fact.accept, "", fact.follow, fact)


# ---------------------------------------------------------------- how people type

def plain(text):
    """Small letters and digits only: what two phrasings are compared by."""
    return re.sub("[^a-z0-9+*/-]+", " ", text.lower()).strip()


def held_texts():
    """Every held-out phrasing of a table's fact, filled in, and every question of held-out.jsonl."""
    texts = set()
    for facts in FACTS.values():
        for fact in facts:
            forms = fact.asks + [t.split("~")[0] for t in fact.raws]
            texts.update(plain(t[1:].format(**fact.slots)) for t in forms if t.startswith("!"))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "held-out.jsonl")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            items = [json.loads(line) for line in f]
        texts.update(plain(i["prompt"] if i["kind"] == "raw" else i["messages"][-1]["content"]) for i in items if i["category"] != "memory")
    return texts


HELD_TEXTS = held_texts()
INDIRECT = ["Do you know {}?", "Tell me {}", "Can you tell me {}?", "I want to know {}", "Could you tell me {}?", "I would like to know {}", "Say {}",
            "Please tell me {}"]
# Direct questions and how they read inside another sentence.
EMBEDDED = [(r"What is (.+)\?", "what {} is"), (r"What are (.+)\?", "what {} are"), (r"Where is (.+)\?", "where {} is"), (r"Who is (.+)\?",
            "who {} is"),
            (r"What (sound|noise|food) does (.+) (make|eat)\?", "what {} {} {}s"), (r"What (color|kind of job) does (.+) have\?",
            "what {} {} has"), (r"How many (\w+) does (.+) have\?", "how many {} {} has"),
            (r"How many (\w+) do (.+) have\?", "how many {} {} have"), (r"Where does (.+) live\?", "where {} lives"), (r"Where do (.+) live\?",
            "where {} live"),
            (r"What does (.+) (eat|say)\?", "what {} {}s"), (r"What do (.+) (eat|say)\?", "what {} {}"),
            (r"((?:Which|What) (?:day|month|season|planet|animal|city|country|mountain|ocean) (?:is|comes|follows|starts|ends|gives) .+)\?", "{}")]


def indirect(rng, text):
    """'Do you know what ice is?' for 'What is ice?', where the question has such a form."""
    for pattern, form in EMBEDDED:
        match = re.fullmatch(pattern, text)
        if match:
            return rng.choice(INDIRECT).format(low(form.format(*match.groups())))
    return text


PREFIXES = ["Please tell me: ", "Tell me, ", "Hey, ", "Can you tell me: ", "I want to know: ", "So, ", "Hi! ", "Hello, ", "Question: ", "Okay, ",
            "Now ", "And now: ", "Please, ", "Well, ", "Hey there, ", "One question: ", "Next question: ", "Quick question: ", "Hmm, ", "Oh, ",
            "Good. ", "Thanks. ", "Fidelis, ", "Hello! "]
SUFFIXES = [" please", ", please", " Please.", " Thanks.", " :)", "!", " thanks", "??", "...", ", thank you", " ?"]


def typo(rng, text):
    """One slip of the finger inside a longer word of small letters."""
    words = text.split(" ")
    spots = [i for i, w in enumerate(words) if len(w) > 4 and w.isalpha() and w.islower()]
    if not spots:
        return text
    i = rng.choice(spots)
    w, k = words[i], rng.randint(1, len(words[i]) - 2)
    words[i] = rng.choice([w[:k] + w[k + 1:], w[:k] + w[k + 1] + w[k] + w[k + 2:], w[:k] + w[k] + w[k:]])
    return " ".join(words)


def typed(rng, text, category):
    """The question as a person might type it: small letters, no full stop, a polite word, a slip."""
    if category == "memory":
        r = rng.random()
        return text if r < 0.7 else (text.rstrip(".?!") if r < 0.85 else low(text))
    if text.startswith("What is ") and rng.random() < 0.15:
        text = "What's " + text[8:]
    r = rng.random()
    if category in ("small talk", "this program") and r < 0.06:
        text = typo(rng, text)
    elif category not in ("repeating", "spelling", "small talk"):
        if r < 0.12:
            text = rng.choice(PREFIXES) + low(text)
        elif r < 0.17:
            text = text.rstrip("?.") + rng.choice(SUFFIXES)
        elif r < 0.23:
            text = typo(rng, text)
    r = rng.random()
    if r < 0.25:
        text = text.rstrip("?.!") if len(text) > 2 else text
        return text if category == "repeating" or "named" in text else text.lower()
    if r < 0.35:
        return text if category == "repeating" or "named" in text else text.lower()
    if r < 0.47:
        return text.rstrip("?.!")
    if r < 0.50 and not text.endswith("?"):
        return text + "."
    return text


# ---------------------------------------------------------------- documents

SYSTEMS = ["You are a helpful assistant.", "You are a friendly assistant.", "Answer the questions.", "You are a kind teacher.", "Be short and clear.",
           "You are a tiny demo model.",
           "You are a helpful AI.", "Be nice.", "Be helpful and honest.", "You are Fidelis, a tiny demo model.", "Answer in a simple way.",
           "You help people.",
           "You are a chat bot. Be polite.", "Give short answers.", "You are a helpful, honest and friendly assistant. Answer in English."]


def conversation(rng, long=False):
    """A chat: (system or None, [Turn, ...])."""
    system = rng.choice(SYSTEMS) if rng.random() < 0.35 else None
    length = rng.randint(12, 30) if long else rng.choice([1, 1, 1, 2, 2, 3, 4, 5, 6])
    memory, turns = {}, []
    remembers = rng.random() < 0.35 and length > 1
    while len(turns) < length:
        last = turns[-1] if turns else None
        turn = None
        if remembers and rng.random() < 0.35:
            told = memory and rng.random() < 0.6
            known = rng.random() < 0.85
            turn = recall(rng, memory, False, known) if told else tell(rng, memory, False)
        elif rng.random() < 0.015:
            turn = recall(rng, memory, False, known=False)
        elif last is not None and last.follow and rng.random() < 0.3:
            turn = follow_up(rng, last)
        turn = turn or random_turn(rng)
        if turn.fact and rng.random() < 0.15:
            turn.user = indirect(rng, turn.user)
        user = typed(rng, turn.user, turn.category)
        if turn.category != "memory" and (plain(turn.user) in HELD_TEXTS or plain(user) in HELD_TEXTS):
            continue
        turn.user = user
        turns.append(turn)
    return system, turns


def sequence(rng):
    """A raw list to go on with: numbers, days, months, letters."""
    kind = rng.randrange(4)
    if kind == 0:
        start = rng.randint(0, 10)
        items = [str(i) for i in range(start, start + 11)]
    else:
        items = [W.DAYS, W.MONTHS, list(ALPHABET)][kind - 1]
    cut = rng.randint(2, 5)
    return ", ".join(items[:cut]) + ",", " " + ", ".join(items[cut:]) + "."


def raw_question(rng):
    """A raw question with its answer."""
    turn = random_turn(rng)
    while turn.category == "outside" or plain(turn.user) in HELD_TEXTS:
        turn = random_turn(rng)
    form = rng.choice(["Q: {}\nA:", "Question: {}\nAnswer:", "{}"])
    return form.format(turn.user), " " + turn.answer


def raw_document(rng, held=False):
    """A raw text: (prefix, rest, category, kind)."""
    while True:
        r = rng.random()
        if not held and r < 0.12:
            text = story(rng, rng.choice(W.STORY_ANIMALS + W.STORY_PEOPLE), rng.choice(W.STORY_NAMES))
            cut = text.index(" ", rng.choice([3, 16, 25]))
            return text[:cut], text[cut:], "stories", ""
        if not held and r < 0.17:
            return *sequence(rng), "sequences", ""
        if not held and r < 0.29:
            return *raw_question(rng), "questions", ""
        category = rng.choices(RAW_CATEGORIES, [WEIGHTS[c] for c in RAW_CATEGORIES])[0]
        raw = rng.choice(FACTS[category]).raw(rng, held)
        if raw is None:
            continue
        prefix, rest, kind = raw
        if not held and plain(prefix) in HELD_TEXTS:
            continue
        if rng.random() < 0.15 and "Q:" not in prefix:
            prefix = prefix[:1].lower() + prefix[1:]
        return prefix, rest, category, kind


def document(rng):
    """A training document: ('raw', prefix, rest) or ('chat', system, turns)."""
    if rng.random() < 0.25:
        return ("raw", *raw_document(rng)[:2])
    return ("chat", *conversation(rng, long=rng.random() < 0.03))


# ---------------------------------------------------------------- held-out questions


def chat_item(category, held, messages, turn):
    """A held-out chat question as a JSON object."""
    return {"category": category, "kind": "chat", "held": held, "messages": messages, "answer": turn.answer, "accept": turn.accept}


def held_out_turns(rng, category, count):
    """Distinct held-out chat questions of a category."""
    seen, tries = set(), 0
    while len(seen) < count and tries < 200 * count:
        tries += 1
        turn = turn_of(rng, category, True)
        if turn is None or turn.user in seen:
            continue
        seen.add(turn.user)
        user = typed(rng, turn.user, category)
        yield chat_item(category, turn.held, [{"role": "user", "content": user}], turn)


def held_out_memory(rng, count):
    """Held-out conversations: something is told, other things are asked, then it is asked for."""
    for i in range(count):
        memory, messages = {}, []
        turns = [tell(rng, memory, True)] + [random_turn(rng) for _ in range(rng.randint(0, 4))]
        last = recall(rng, memory, True, known=i % 6 != 5)
        for turn in turns:
            messages += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.answer}]
        messages.append({"role": "user", "content": last.user})
        yield chat_item("memory", "phrasing", messages, last)


def held_out_raw(rng, count):
    """Held-out raw completions."""
    seen = set()
    while len(seen) < count:
        prefix, rest, category, kind = raw_document(rng, True)
        if prefix not in seen:
            seen.add(prefix)
            yield {"category": "raw " + category, "kind": "raw", "held": kind, "prompt": prefix, "answer": rest.strip(), "accept": [rest.strip()]}


def held_out(count, seed=7):
    """`count` questions per category, and as many raw completions as eight categories."""
    rng = random.Random(seed)
    items = []
    for category in CATEGORIES:
        items += held_out_turns(rng, category, count)
    items += held_out_memory(rng, 2 * count)
    items += held_out_raw(rng, 8 * count)
    return items


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held-out", type=int, metavar="N", help="write N held-out questions per category")
    parser.add_argument("--out", default="held-out.jsonl")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N training documents")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if args.held_out:
        with open(args.out, "w", encoding="utf-8") as f:
            for item in held_out(args.held_out, args.seed):
                f.write(json.dumps(item, ensure_ascii=False) + "\n")
    rng = random.Random(args.seed)
    for _ in range(args.show):
        doc = document(rng)
        if doc[0] == "raw":
            print(f"RAW  {doc[1]!r} -> {doc[2]!r}")
        else:
            print(f"CHAT {doc[1] or ''}")
            for turn in doc[2]:
                print(f"     {turn.user}\n       => {turn.answer}")


if __name__ == "__main__":
    main()
