"""The words that ask for images in a condition: ``T2w, sag`` in ``has(T2w, sag)``.

Every word is a value of the closed vocabulary. One that stands alone belongs to ``sequence`` if that has it, otherwise
to the one attribute whose closed set holds it; where several do, a keyword says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from .record import Record
from .vocabulary import Attribute, vocabulary

FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType({"diffusion": ("DWI", "trace")})
"""Words that stand for several sequences."""

UNTOLD = {"word": "unknown", "index": None, "number": None, "numbers": ()}
"""How a record says that a value is not known, by kind of attribute."""

Word = str | int | float
SHORTEST = 2
"""The fewest letters by which a word is taken for the beginning of another."""


@dataclass(frozen=True, slots=True)
class ImageTerm:
    """What an image must be: for each attribute one of some values; derived images only where they are asked for.

    ``derived`` holds the words an image must have, no more and no less; None takes any.
    """

    wanted: tuple[tuple[str, tuple[Word, ...]], ...]
    derived: tuple[str, ...] | None = ()

    def matches(self, record: Record) -> bool | None:
        """Whether an image is meant; None where an attribute that decides is unknown."""
        if self.derived is not None and record.derived != self.derived:
            return False
        answers = [_holds(vocabulary()[name], getattr(record, name), values) for name, values in self.wanted]
        if False in answers:
            return False
        return None if None in answers else True


def read_term(words: Sequence[Word], keywords: Mapping[str, Sequence[Word]]) -> ImageTerm:
    """Find the attribute of every word. Raises ``ValueError`` with a sentence that lists what is legal.

    >>> read_term(["T2w", "sag"], {}).wanted
    (('sequence', ('T2w',)), ('plane', ('sag',)))
    >>> read_term(["lung"], {})
    Traceback (most recent call last):
        ...
    ValueError: 'lung' may be meant as bodypart or kernel; write bodypart='lung' or kernel='lung'
    """
    wanted: dict[str, tuple[Word, ...]] = {}
    derived: list[Word] = []
    for word in words:
        name = _attribute_of(word)
        if name == "derived":
            derived.append(word)
        elif name in wanted:
            raise ValueError(
                f"{word!r} and {wanted[name][0]!r} are both values of {name}; for either of them write "
                f"{name}=({wanted[name][0]!r}, {word!r})"
            )
        else:
            wanted[name] = FAMILIES.get(str(word), (word,))
    for name, values in keywords.items():
        if name in wanted or (name == "derived" and derived):
            raise ValueError(f"{name} is asked for twice")
        if name == "derived":
            derived.extend(values)
        else:
            wanted[name] = tuple(value for each in values for value in _legal(name, each))
    return ImageTerm(tuple(wanted.items()), _derived(derived))


def _attribute_of(word: Word) -> str:
    """The one attribute that a word standing alone belongs to."""
    sets = {name: each.values for name, each in vocabulary().items()}
    if word in sets["sequence"] or word in FAMILIES:
        return "sequence"
    holders = [name for name, values in sets.items() if word in values]
    if len(holders) == 1:
        return holders[0]
    if holders:
        ways = " or ".join(f"{name}={word!r}" for name in holders)
        raise ValueError(f"{word!r} may be meant as {' or '.join(holders)}; write {ways}")
    sequences = [*sets["sequence"], *FAMILIES]
    others = [name for name, values in sets.items() if values and name != "sequence"]
    raise ValueError(
        f"{word!r} is not in the vocabulary; {_near(word, [v for values in sets.values() for v in values])}"
        f"legal: {' '.join(sequences)}, and the words of {' '.join(others)}"
    )


def _legal(name: str, word: Word) -> tuple[Word, ...]:
    """The values that a word stands for as a value of the attribute ``name``."""
    if name not in vocabulary():
        legal = [*vocabulary()]
        raise ValueError(f"there is no attribute {name!r}; {_near(name, legal)}legal: {' '.join(legal)}")
    attribute = vocabulary()[name]
    if attribute.kind not in ("word", "words"):
        if isinstance(word, str):
            raise ValueError(f"{name}={word!r} must be a number")
        return (word,)
    legal = (*attribute.values, *(FAMILIES if name == "sequence" else ()))
    if word not in legal:
        raise ValueError(f"{name}={word!r} is not in the vocabulary; {_near(word, legal)}legal: {' '.join(legal)}")
    return FAMILIES.get(str(word), (word,)) if name == "sequence" else (word,)


def _derived(words: Sequence[Word]) -> tuple[str, ...] | None:
    if list(words) == ["any"]:
        return None
    for word in words:
        _legal("derived", word)
    return tuple(word for word in vocabulary()["derived"].values if word in words)


def _holds(attribute: Attribute, value: Any, wanted: Sequence[Word]) -> bool | None:
    """Whether a record's value is one of those wanted; b-values within 5 % or 10 s/mm², whichever is more."""
    if attribute.kind == "numbers":
        found = any(abs(each - b) <= max(0.05 * b, 10.0) for b in map(float, wanted) for each in value)
    else:
        found = value in wanted
    return None if not found and value == UNTOLD.get(attribute.kind, value) else found


def _near(word: Word, legal: Sequence[str]) -> str:
    """A guess at a misspelt word, or at one that is written out (sagittal), as the beginning of a sentence."""
    lower = {each.lower(): each for each in legal}
    given = str(word).lower()
    begun = sorted((each for each in lower if len(each) >= SHORTEST and given.startswith(each)), key=len)[-1:]
    whole = [each for each in lower if len(given) >= SHORTEST and each.startswith(given)]
    guess = begun or get_close_matches(given, lower, n=1) or whole
    return f"did you mean {lower[guess[0]]!r}? " if guess else ""
