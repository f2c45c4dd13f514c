"""Which attributes of an image object pass into de-identified DICOM, in which form, and what each IOD requires."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from pydicom.datadict import dictionary_VR, tag_for_keyword

from .text import read_yaml

FORMS = frozenset(
    (
        *(
            "absent",
            "age",
            "agent",
            "before",
            "bodypart",
            "class",
            "code",
            "date",
            "datetime",
            "dose",
            "empty",
            "field",
        ),
        *("harmonised", "item", "label", "number", "pointer", "quantity", "short", "table", "term", "time", "uid"),
        "weight",
    )
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that may pass. ``vr`` is the dictionary's; ``dummy`` stands for a required value."""

    keyword: str
    tag: int
    vr: str
    form: str
    pattern: re.Pattern[str] | None = None
    dummy: str = ""


@dataclass(frozen=True, slots=True)
class Iod:
    """A kind of object that is written: tags of type 1 and of type 2 at its top level."""

    name: str
    type1: frozenset[int]
    type2: frozenset[int]

    @property
    def classic(self) -> bool:
        """One frame an object."""
        return "Enhanced" not in self.name


@dataclass(frozen=True, slots=True)
class Iods:
    """All of ``iods.yaml``: attributes by tag, IODs by SOP class, words of form term, words of an image type.

    ``pointers`` gives the tag, and ``codes`` scheme and value, that stand for a required one that may not leave.
    """

    attributes: dict[int, Attribute]
    iods: dict[str, Iod]
    terms: frozenset[str]
    image_type: tuple[str, ...]
    pointers: dict[int, int]
    codes: dict[int, tuple[str, str]]


@cache
def iods() -> Iods:
    """The rules of ``iods.yaml``. Raises ``ValueError`` naming an entry that is wrong."""
    spec = read_yaml("iods.yaml")
    patterns, dummies = spec["patterns"], spec["dummies"]
    listed = [
        _attribute(keyword, form, patterns.get(keyword), dummies.get(keyword, ""))
        for keyword, form in spec["attributes"].items()
    ]
    unknown = {*patterns, *dummies} - {a.keyword for a in listed}
    if unknown:
        raise ValueError(f"iods.yaml: a pattern or dummy for no attribute: {', '.join(sorted(unknown))}")
    return Iods(
        attributes={a.tag: a for a in listed if a.form != "absent"},
        iods={str(uid): _iod(entry["name"], entry["modules"], spec["modules"]) for uid, entry in spec["iods"].items()},
        terms=frozenset(spec["terms"]),
        image_type=tuple(spec["image_type"]),
        pointers={_tag(keyword): _tag(stand_in) for keyword, stand_in in spec["pointers"].items()},
        codes={_tag(keyword): (scheme, value) for keyword, (scheme, value) in spec["codes"].items()},
    )


def _attribute(keyword: str, form: str, pattern: str | None, dummy: str) -> Attribute:
    if form not in FORMS:
        raise ValueError(f"iods.yaml: {keyword}: unknown form {form!r}")
    if (pattern is not None) != (form == "short"):
        raise ValueError(f"iods.yaml: {keyword}: form short and a pattern belong together")
    tag = _tag(keyword)
    return Attribute(keyword, tag, dictionary_VR(tag), form, re.compile(pattern) if pattern else None, dummy)


def _iod(name: str, modules: list[str], known: dict[str, dict[str, list[str]]]) -> Iod:
    type1, type2 = (
        frozenset(_tag(keyword) for module in modules for keyword in known[module].get(kind, ()))
        for kind in ("type1", "type2")
    )
    return Iod(name, type1, type2 - type1)


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"iods.yaml: {keyword} is no keyword of the dictionary")
    return tag
