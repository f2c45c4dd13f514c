"""The labels that a drawn region may leave under, with their codes, and the words that mean them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from .text import read_yaml

NUMBERED = re.compile(r"(?P<word>.*[^\W\d]) ?(?P<number>[1-9]\d{0,2})")
"""A word and a number behind it, in the plain form of :func:`plain_words`."""

LEGAL_NAME = re.compile(r"[0-9A-Za-z]{1,32}")


@dataclass(frozen=True, slots=True)
class Label:
    """A label: its public name (letters and digits), its code, and further words that mean it.

    ``code``, ``scheme`` and ``meaning`` are those of DICOM (PS3.16), empty where there is none. ``several`` says that a
    number behind one of the words is that of the lesion.
    """

    name: str
    code: str = ""
    scheme: str = ""
    meaning: str = ""
    match: tuple[str, ...] = ()
    several: bool = False


class Labels:
    """A dictionary of labels, asked by name, by code or by words.

    A label that comes later takes the words and the code of an earlier one: a trial's own come last.
    """

    def __init__(self, labels: Iterable[Label]) -> None:
        self.by_name: dict[str, Label] = {}
        self._by_code: dict[tuple[str, str], Label] = {}
        self._by_words: dict[str, Label] = {}
        for label in labels:
            self.by_name.pop(label.name, None)
            self.by_name[label.name] = label
        for label in self.by_name.values():
            if label.code:
                self._by_code[label.scheme, label.code] = label
            for words in (label.name, label.meaning, *label.match):
                if plain := plain_words(words):
                    self._by_words[plain] = label

    def named(self, name: str) -> Label | None:
        """The label of exactly this public name."""
        return self.by_name.get(name)

    def coded(self, scheme: str, code: str) -> Label | None:
        """The label of a code."""
        return self._by_code.get((scheme, code))

    def said(self, text: str) -> tuple[Label, int | None] | None:
        """The label that a text means as a whole, and the number of the lesion where one stands behind it.

        >>> labels = Labels([Label("lesion", match=("tumour",), several=True), Label("liver")])
        >>> labels.said("Tumour_2")[0].name, labels.said("Tumour_2")[1], labels.said("liver 2"), labels.said("hot spot")
        ('lesion', 2, None, None)
        """
        plain = plain_words(text)
        if plain in self._by_words:
            return self._by_words[plain], None
        numbered = NUMBERED.fullmatch(plain)
        label = self._by_words.get(numbered["word"]) if numbered else None
        return (label, int(numbered["number"])) if numbered and label is not None and label.several else None


def plain_words(text: str) -> str:
    """A text without what does not count: letter case, accents, punctuation, runs of blanks.

    >>> plain_words("  Läsion_(links)-2 ")
    'lasion links 2'
    """
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", bare))


@cache
def shipped_labels() -> Mapping[str, Label]:
    """The labels of ``labels.yaml`` by name."""
    found = {}
    for name, spec in read_yaml("labels.yaml")["labels"].items():
        found[name] = Label(**{**spec, "name": name, "match": tuple(spec.get("match", ()))})
    return MappingProxyType(found)
