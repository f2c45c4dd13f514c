"""The form of what a check says in ``*_qc.json``: sentences and names of values from the checks' own source."""

from __future__ import annotations

import re
from functools import cache

from trialbids.mappings.bodyparts import body_parts
from trialbids.mappings.parameters import PARAMETERS
from trialbids.mappings.vocabulary import vocabulary

from .prose import QUALITY, is_said, texts_of

_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
RANGES = ("at", "least", "most", "to")
"""What a protocol's range says of its ends."""

_ENDS = re.compile(r"_(usual|min|max)$")


def is_quality_sentence(told: frozenset[str], text: object) -> bool:
    """Is this a sentence of a check, of its own words, DICOM keywords, parameters, words of the vocabulary and numbers?

    ``told`` is what the trial itself says, such as the slots of a protocol of its own.

    >>> is_quality_sentence(frozenset(), "ContentDate, which is required, is missing in 3 of 3 images")
    True
    >>> is_quality_sentence(frozenset(), "Doe, which is required, is missing in 3 of 3 images")
    False
    """
    if not isinstance(text, str):
        return False
    known = _own_words() | told
    bare = _TOKEN.sub(lambda found: "" if found[0] in known else found[0], text)
    return is_said(bare, QUALITY) or is_said(_TOKEN.sub(_unless_keyword, bare), QUALITY)


def _unless_keyword(found: re.Match[str]) -> str:
    """What was found, or nothing where it is a keyword of DICOM."""
    from pydicom.datadict import tag_for_keyword  # here, as most sentences are told from their own words

    return "" if tag_for_keyword(found[0]) else found[0]


@cache
def is_quality_value(name: str) -> bool:
    """Is this the name of something that a check measures?"""
    return _ENDS.sub("", name) in PARAMETERS or any(name in texts_of(module) for module in QUALITY)


@cache
def _own_words() -> frozenset[str]:
    words = {value for attribute in vocabulary().values() for value in attribute.values}
    spoken = (word for p in PARAMETERS.values() for word in _TOKEN.findall(f"{p.meaning} {p.unit}"))
    return frozenset((*words, *body_parts(), *PARAMETERS, *spoken, *RANGES))
