"""What words mean: free text into concepts, by the words of seven languages and of the vendors.

``lexicon.yaml`` lists for each concept the words that name it, by language. The longest phrase is read first and its
words are used up, so that ``sans injection`` is no injection and ``fat sat`` is no fat image. A word that is not listed
is read as several listed words run together (``axt2fse``), else as a listed word with one slip (``saggital``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

from .bodyparts import BODY, body_parts
from .text import read_yaml

START, END = "^", "$"
LEAST_TYPO_LETTERS = 6
"""Shorter words are not corrected: one slip turns them into other words."""

LEAST_PIECE = 2
LONGEST_WORD, LONGEST_TEXT = 64, 1024
"""A DICOM description has 64 letters at most. A longer word is taken as it is, longer text is read to here: what it
takes grows with the square of a word."""

LEAST_STEM, MOST_REST = 4, 8
"""A stem of so many letters is a word among words run together; at their end it may go on for so many more."""

LANGUAGES = ("any", "en", "fr", "de", "nl", "pt", "es", "it")
LEADERS = frozenset({"s", "e", "w", "c", "d", "m", "o", "a"})
"""Single letters that vendors and users put before a word: Philips writes sTHRIVE, eTHRIVE, sDWI."""


@dataclass
class Node:
    """A place in the tree of phrases: where each next word leads, and what the phrase so far means."""

    exact: dict[str, Node] = field(default_factory=dict)
    counted: dict[str, Node] = field(default_factory=dict)
    stems: dict[str, Node] = field(default_factory=dict)
    concepts: tuple[str, ...] = ()

    def follow(self, word: str) -> Iterator[Node]:
        """The nodes that a word leads to, the closest reading first: the word, its numbers, its stem."""
        if word in self.exact:
            yield self.exact[word]
        if self.counted and (form := number_form(word)) in self.counted:
            yield self.counted[form]
        if self.stems:
            for length in range(len(word), 1, -1):
                if word[:length] in self.stems:
                    yield self.stems[word[:length]]

    def step(self, word: str) -> Node:
        """The node for a word of a phrase, made where there is none."""
        if word.endswith("*"):
            return self.stems.setdefault(word[:-1], Node())
        if "#" in word:
            return self.counted.setdefault(word, Node())
        return self.exact.setdefault(word, Node())


@lru_cache(maxsize=65536)
def number_form(word: str) -> str:
    """A word with each run of digits as ``#``.

    >>> number_form("b800"), number_form("x2y3")
    ('b#', 'x#y#')
    """
    form = ""
    for letter in word:
        if not letter.isdigit():
            form += letter
        elif not form.endswith("#"):
            form += "#"
    return form


class Lexicon:
    """Concepts and the words that name them.

    ``entries`` gives each concept's phrases: words parted by blanks; ``*`` at an end is the rest of a word, ``#`` a
    number, ``^`` and ``$`` stand for the start and the end of the text.
    """

    def __init__(self, entries: Mapping[str, Iterable[str]]) -> None:
        self._root = Node()
        for concept, phrases in entries.items():
            for phrase in phrases:
                node = self._root
                for word in phrase.split():
                    node = node.step(word)
                if concept not in node.concepts:
                    node.concepts = (*node.concepts, concept)
        words = {w for phrases in entries.values() for phrase in phrases for w in phrase.split()}
        self._words = frozenset(w for w in words if "*" not in w and "#" not in w)
        self._stems = frozenset(self._root.stems)
        self._counted = frozenset(w for w in words if "#" in w)
        self._slips = slips_of(w for w in self._words if len(w) >= LEAST_TYPO_LETTERS and w.isalpha())
        self._pieces = lru_cache(maxsize=65536)(self._split)

    def read(self, text: str) -> tuple[str, ...]:
        """The concepts of plain text (lower case, no accents, words parted by blanks), in order of first mention."""
        words = [START, *(piece for word in text[:LONGEST_TEXT].split() for piece in self._pieces(word)), END]
        found: dict[str, None] = {}
        at = int(self._longest(words, 1)[0] >= self._longest(words, 0)[0])  # the start may take part in a phrase
        while at < len(words):
            length, concepts = self._longest(words, at)
            found.update(dict.fromkeys(concepts))
            at += max(length, 1)
        return tuple(found)

    def _longest(self, words: Sequence[str], start: int) -> tuple[int, tuple[str, ...]]:
        """The longest phrase that begins here: how many words it uses up, and its concepts."""
        best: tuple[int, tuple[str, ...]] = (0, ())
        nodes: list[Node] = [self._root]
        for length, word in enumerate(words[start:], 1):
            nodes = [after for node in nodes for after in node.follow(word)]
            if not nodes:
                break
            meant = tuple(dict.fromkeys(c for n in nodes for c in n.concepts))
            if meant:
                best = length, meant
        return best

    def _split(self, word: str) -> tuple[str, ...]:
        """The listed words that one word is made of, or the word itself."""
        if self._is_listed(word) or len(word) > LONGEST_WORD:
            return (word,)
        return self._run_together(word) or self._corrected(word) or (word,)

    def _is_listed(self, word: str) -> bool:
        if word in self._words or word.isdigit() or number_form(word) in self._counted:
            return True
        return any(word[:n] in self._stems for n in range(2, len(word) + 1))

    def _run_together(self, word: str) -> tuple[str, ...]:
        """Words run together, every letter used, long words before short ones; empty where it cannot be read so."""
        best: list[tuple[int, tuple[str, ...]] | None] = [None] * (len(word) + 1)
        best[len(word)] = (0, ())
        for at in range(len(word) - 1, -1, -1):
            for end in range(len(word), at, -1):
                rest = best[end]
                piece = word[at:end]
                if rest is None or not self._is_piece(piece, at, end == len(word)):
                    continue
                score = rest[0] + (0 if piece.isdigit() else len(piece) ** 2)
                chosen = best[at]
                if chosen is None or score > chosen[0]:
                    best[at] = score, (piece, *rest[1])
        pieces = best[0][1] if best[0] else ()
        return pieces if self._is_sure(pieces) else ()

    def _is_piece(self, piece: str, at: int, last: bool) -> bool:
        if piece.isdigit():
            return True
        if len(piece) < LEAST_PIECE:
            return at == 0 and piece in LEADERS
        if piece in self._words or number_form(piece) in self._counted:
            return True
        least = max(LEAST_STEM, len(piece) - MOST_REST) if last else max(LEAST_STEM, len(piece))
        return any(piece[:n] in self._stems for n in range(least, len(piece) + 1))

    def _is_sure(self, pieces: tuple[str, ...]) -> bool:
        """Whether the pieces cannot well be chance: one is long, or holds a digit beside letters."""
        named = [p for p in pieces if not p.isdigit()]
        if any(len(p) > 2 or any(c.isdigit() for c in p) for p in named):
            return True
        return len(named) == 1 and len(named[0]) >= LEAST_PIECE

    def _corrected(self, word: str) -> tuple[str, ...]:
        """The one listed word that differs by one letter missing, added, changed or swapped; empty where none does."""
        if len(word) < LEAST_TYPO_LETTERS or not word.isalpha():
            return ()
        near = {w for slip in one_letter_less(word) for w in self._slips.get(slip, ()) if one_slip(word, w)}
        return (min(near),) if near and len({self._meaning(w) for w in near}) == 1 else ()

    def _meaning(self, word: str) -> tuple[str, ...]:
        return self._longest([word], 0)[1]


def one_letter_less(word: str) -> set[str]:
    """The word, and the word without any one of its letters."""
    return {word, *(word[:k] + word[k + 1 :] for k in range(len(word)))}


def slips_of(words: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """An index of words by what is left when a letter is lost."""
    index: dict[str, list[str]] = defaultdict(list)
    for word in sorted(words):
        for slip in one_letter_less(word):
            index[slip].append(word)
    return {slip: tuple(found) for slip, found in index.items()}


def one_slip(a: str, b: str) -> bool:
    """Whether two words differ by one letter missing, added, changed, or two neighbours swapped.

    >>> one_slip("saggital", "sagittal"), one_slip("diffussion", "diffusion"), one_slip("coronal", "cardiac")
    (False, True, False)
    """
    if len(a) == len(b):
        apart = [k for k, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
        if len(apart) <= 1:
            return True
        first, second = apart[0], apart[-1]
        return len(apart) == 2 and second == first + 1 and a[first] == b[second] and a[second] == b[first]
    short, long = sorted((a, b), key=len)
    return len(long) - len(short) == 1 and short in one_letter_less(long)


def words_by_language(given: Any, place: str) -> list[str]:
    """The words of one concept from a mapping of languages to lists, checked.

    Raises ``ValueError`` naming the place where it is anything else.
    """
    if not isinstance(given, dict) or not set(given) <= set(LANGUAGES):
        raise ValueError(f"{place}: words stand by language, which are {', '.join(LANGUAGES)}")
    if not all(isinstance(words, list) for words in given.values()):
        raise ValueError(f"{place}: the words of a language are a list")
    return [str(word) for words in given.values() for word in words]


@cache
def lexicon() -> Lexicon:
    """The lexicon of this package: ``lexicon.yaml`` and the words of ``bodyparts.yaml``."""
    entries = {name: words_by_language(given, name) for group in groups().values() for name, given in group.items()}
    parts = {BODY + p.name: list(p.words) for p in body_parts().values()}
    return Lexicon(entries | parts)


@cache
def groups() -> Mapping[str, Mapping[str, Any]]:
    """The groups of ``lexicon.yaml``, each with its concepts. Raises ``ValueError`` where a concept stands twice."""
    data: dict[str, dict[str, Any]] = read_yaml("lexicon.yaml")
    names = sorted(name for group in data.values() for name in group)
    for name, after in pairwise(names):
        if name == after:
            raise ValueError(f"lexicon.yaml: the concept {name!r} stands twice")
    return data


@cache
def concepts() -> frozenset[str]:
    """Every concept there is."""
    return frozenset(name for group in groups().values() for name in group) | {BODY + name for name in body_parts()}


@cache
def kinds() -> frozenset[str]:
    """The concepts that tell a kind of image from others of its examination; planes and sides do not."""
    told = ("kinds", "maps", "objects", "techniques", "products", "agent", "derived")
    return frozenset(name for group in told for name in groups()[group])


@lru_cache(maxsize=65536)
def read_concepts(text: str) -> tuple[str, ...]:
    """The concepts of plain text.

    >>> read_concepts("t2 tse sag fs")
    ('t2', 'tse', 'sag', 'fatsat')
    """
    return lexicon().read(text)
