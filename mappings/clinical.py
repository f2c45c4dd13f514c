"""What a clinical table may look like: ``clinical.yaml``, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from .text import read_yaml

TYPES = ("number", "integer", "level", "date", "text")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+")


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """Columns that are refused by a word of their name; ``phrases`` are words in a row."""

    what: str
    types: frozenset[str]
    phrases: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ValueRule:
    """Columns that are refused by what their cells look like."""

    what: str
    types: frozenset[str]
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class ClinicalRules:
    """The whole of ``clinical.yaml``. ``missing`` is lower-case, ``dates`` are forms of ``strptime``."""

    version: int
    missing: frozenset[str]
    dates: tuple[str, ...]
    times: re.Pattern[str]
    headers: tuple[HeaderRule, ...]
    values: tuple[ValueRule, ...]

    def named(self, column: str, kind: str) -> str:
        """What a column of this name and type must hold that may not leave, "" where its name says nothing.

        >>> clinical_rules().named("PatientName", "text"), clinical_rules().named("drug_name", "level")
        ('names people', '')
        """
        words = header_words(column)
        return next((r.what for r in self.headers if kind in r.types and any(_stands(p, words) for p in r.phrases)), "")


def header_words(column: str) -> tuple[str, ...]:
    """The lower-case words of a column's name.

    >>> header_words("AgeAtVisit"), header_words("CA125 (U/ml)")
    (('age', 'at', 'visit'), ('ca', 'u', 'ml'))
    """
    return tuple(word.casefold() for word in _WORD.findall(column))


def _stands(phrase: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return any(words[at : at + len(phrase)] == phrase for at in range(len(words) - len(phrase) + 1))


@cache
def clinical_rules() -> ClinicalRules:
    """``clinical.yaml``. Raises ``ValueError`` naming an entry that is wrong."""
    spec = read_yaml("clinical.yaml")
    headers = [HeaderRule(e["what"], _types(e), tuple(tuple(w.split()) for w in e["words"])) for e in spec["headers"]]
    values = [ValueRule(e["what"], _types(e), re.compile(e["pattern"])) for e in spec["values"]]
    return ClinicalRules(
        spec["version"],
        frozenset(spec["missing"]),
        tuple(spec["dates"]),
        re.compile(spec["times"]),
        tuple(headers),
        tuple(values),
    )


def _types(entry: dict[str, Iterable[str]]) -> frozenset[str]:
    types = frozenset(entry["types"])
    if not types <= set(TYPES):
        raise ValueError(f"clinical.yaml: {entry['what']}: unknown type; known are {', '.join(TYPES)}")
    return types
