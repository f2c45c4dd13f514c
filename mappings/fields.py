"""The allow-list: which header fields may leave, in which form and under which key."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from bidsschematools.schema import load_schema

from .text import read_yaml

LARGEST_NUMBER = 99_999
"""No field of the list needs more, and a date or a telephone number is larger."""

SIGNIFICANT_DIGITS = 6
"""No setting of a scan is known better, and a telephone number after the decimal point is longer."""

ACTIONS = (
    "hash",
    "label",
    "years",
    "offset",
    "number",
    "words",
    "pattern",
    "record",
    "with",
    "image",
    "shift",
    "asked",
)


@dataclass(frozen=True, slots=True)
class Field:
    """One DICOM field of the allow-list.

    ``action`` says in which form it leaves, ``bids`` under which key of the sidecar ("" = not in it), ``scale``
    the factor from DICOM's unit to that key's. ``words`` and ``patterns`` are the only strings that pass.
    """

    keyword: str
    group: str
    action: str
    bids: str = ""
    scale: float = 1.0
    words: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()

    def passes(self, text: str) -> bool:
        """May this text leave as it is?"""
        return text in self.words or any(p.fullmatch(text) for p in self.patterns)


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """A sidecar key that the converter computes: numbers, or one of ``words``."""

    key: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class AllowList:
    """Everything that a sidecar may hold. ``device`` holds the fields that leave only if the trial asks for them."""

    version: int
    fields: tuple[Field, ...]
    derived: tuple[DerivedKey, ...]
    own: frozenset[str]
    device: tuple[Field, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """Every key that may stand in a sidecar."""
        return self.own | {f.bids for f in self.fields if f.bids} | {d.key for d in self.derived}

    def changed(self, *, add: Iterable[Field] = (), drop: Collection[str] = ()) -> AllowList:
        """The list with more fields, and without the keywords in ``drop``."""
        kept = tuple(field for field in self.fields if field.keyword not in drop)
        return replace(self, fields=(*kept, *add))


@cache
def allow_list() -> AllowList:
    """The allow-list of ``fields.yaml``. Raises ``ValueError`` naming a field whose entry is wrong."""
    spec = read_yaml("fields.yaml")
    return AllowList(
        version=spec["version"],
        fields=tuple(_field(entry) for entry in spec["fields"]),
        derived=tuple(DerivedKey(entry["key"], frozenset(entry.get("words", ()))) for entry in spec["derived"]),
        own=frozenset(spec["own"]),
        device=tuple(_field(entry) for entry in spec["device"]),
    )


def rounded(value: float) -> float:
    """A number with as many digits as may leave.

    >>> rounded(1.1739821545), rounded(0.00246), rounded(250000.0)
    (1.17398, 0.00246, 250000.0)
    """
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def legal_number(key: str, value: float) -> bool:
    """May this number leave? Within what no identifier or date fits into, and within what the BIDS schema takes.

    >>> legal_number("EchoTime", 0.101), legal_number("EchoTime", 0.0), legal_number("SeriesNumber", 19700101)
    (True, False, False)
    """
    limits = _limits(key)
    within = not limits or any(low < value <= high or (value == low and closed) for low, high, closed in limits)
    return 0 <= value <= LARGEST_NUMBER and within


@cache
def _limits(key: str) -> tuple[tuple[float, float, bool], ...]:
    """Lower and upper limit of a number under a key, by each form that the schema gives it; is the lower one legal?"""
    spec = load_schema().objects.metadata.get(key, {})
    forms = [form.get("items", form) for form in (spec.get("anyOf") or [spec]) if form]
    return tuple(
        (
            form.get("exclusiveMinimum", form.get("minimum", -math.inf)),
            form.get("maximum", math.inf),
            "exclusiveMinimum" not in form,
        )
        for form in forms
        if form.get("type") in ("number", "integer")
    )


def _field(entry: dict[str, Any]) -> Field:
    if entry["action"] not in ACTIONS:
        raise ValueError(f"fields.yaml: {entry['keyword']}: unknown action {entry['action']!r}")
    return Field(
        keyword=entry["keyword"],
        group=entry["group"],
        action=entry["action"],
        bids=entry.get("bids", ""),
        scale=float(entry.get("scale", 1.0)),
        words=frozenset(entry.get("words", ())),
        patterns=tuple(re.compile(p) for p in entry.get("patterns", ())),
    )
