"""Free text of headers as plain words: lower case, no accents, one blank between words."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

CAMEL = re.compile(r"(?<=[a-z][a-z])(?=[A-Z])")
AGENT_MARK = re.compile(r"\+\s*(c|gd|km|kv|gado\w*|contrast\w*)(?![a-z])")
AGENT_BEFORE = re.compile(r"(?<![a-z0-9])(c|gd|km)\s*\+(?!\s*(?:c|gd|km)(?![a-z]))")
NO_AGENT_MARK = re.compile(r"(?<=[\s_])-\s?c(?![a-z0-9])|(?<![a-z0-9])c-(?=\s|$)")
LAST_PLUS = re.compile(r"(?<=[\s_])\+\s*$")
STAR = re.compile(r"([tr]2)\s*\*")
LONGEST = 4096
"""Longer text is cut: no description is, and every pattern is matched against it."""

MARKS = frozenset("+-*")
PAIR = re.compile(r"\(\d+/\d+/\d+\)\s*([-+])\s*\(\d+/\d+/\d+\)")
"""How GE names the difference or sum of two images, by their examination, series and number."""
SEPARATORS = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=16384)
def plain(text: str) -> str:
    """A description as words that patterns can be written for.

    >>> plain("T2*-Séq_OutPhase +C (tra)")
    't2star seq out phase plusc tra'
    """
    bare = CAMEL.sub(" ", text[:LONGEST])
    if not bare.isascii():
        bare = "".join(c for c in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(c)).replace(
            "ß", "ss"
        )
    bare = bare.lower()
    if not MARKS.isdisjoint(bare):
        bare = marks_as_words(bare)
    return SEPARATORS.sub(" ", bare).strip()


def marks_as_words(bare: str) -> str:
    """Signs that mean something as words: an agent (``+C``), its absence, T2*, the difference or sum of two images."""
    bare = PAIR.sub(lambda m: " imagediff " if m[1] == "-" else " imagesum ", bare)
    bare = AGENT_BEFORE.sub(" plusc ", bare)
    bare = NO_AGENT_MARK.sub(" minusc ", bare)
    bare = AGENT_MARK.sub(lambda m: " plus" + ("gd" if m[1].startswith("gado") else m[1]) + " ", bare)
    bare = LAST_PLUS.sub(" plus", bare)
    return STAR.sub(r"\1star ", bare)


B_VALUE = re.compile(r"(?<![a-z0-9])b(?:val(?:ue)?)?\s?(\d{1,4})(?!\d)")


@lru_cache(maxsize=16384)
def b_values_in(text: str) -> tuple[float, ...]:
    """The b-values that plain text names, ascending.

    >>> b_values_in("dwi b50 b 800 tra"), b_values_in("high bvalue 1400")
    ((50.0, 800.0), (1400.0,))
    """
    return tuple(sorted({float(b) for b in B_VALUE.findall(text)}))
