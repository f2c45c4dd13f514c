"""Attributes of DICOM by their names: which tags a field of the allow-list is read from, and what a tag is called."""

from __future__ import annotations

from functools import cache

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from .tags import CODED, FIELDS, IDENTIFYING, KEYWORDS, SYNONYMS

PRIVATE_B_VALUES = (0x0019000C, 0x00430039, 0x00650009, 0x20010003)
"""Group and offset within the block of the private elements that hold a b-value."""


@cache
def tags_of(keyword: str) -> frozenset[int]:
    """The tags that a field may be read from, at the top level or in a functional group.

    Beside its own tag those of the attributes that stand for it in enhanced objects, of the sequence that holds it as
    a code, and, for the b-value, of the vendors' private elements.
    """
    names = [KEYWORDS.get(keyword, keyword), *(name for name, field in SYNONYMS.items() if field == keyword)]
    tags = {tag for name in names if (tag := tag_for_keyword(name)) is not None}
    tags.update(CODED.get(keyword, ())[:1])
    if keyword == "DiffusionBValue":
        tags.update(e & ~0xFF | block << 8 | e & 0xFF for e in PRIVATE_B_VALUES for block in range(0x10, 0x100))
    return frozenset(tags)


def name_of(tag: int) -> str:
    """The keyword of a tag, or group and element where it has none.

    >>> name_of(0x00180080), name_of(0x0019100C)
    ('RepetitionTime', '(0019,100C)')
    """
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def kind_of(tag: int) -> str:
    """What a trial could release an attribute as: ``number``, ``words``, or "" where it cannot.

    That is what the inventory reads, but not what names a person or a place.
    """
    if tag not in FIELDS or tag in IDENTIFYING:
        return ""
    return "words" if FIELDS[tag].kind in ("text", "words") else "number"
