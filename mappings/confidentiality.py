"""PS3.15 Table E.1-1 as data: what the Basic Profile and its options do with every attribute that they name.

``confidentiality.tsv`` holds the 656 rows of edition 2026c as facts: the basic action from two independent parses of
the standard that agree, the option columns from one of them. Whether an attribute occurs in a standard composite IOD is
taken from an older edition, and is empty where that did not say; no action here depends on it.
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

EDITION = "2026c"
OPTIONS = {
    "safe_private": "113111",
    "uids": "113110",
    "device": "113109",
    "institution": "113112",
    "patient": "113108",
    "full_dates": "113106",
    "modified_dates": "113107",
    "descriptors": "113105",
    "structured": "113104",
    "graphics": "113103",
}
"""The option columns in the table's order, each with its code in PS3.16 CID 7050."""

BASIC_ACTIONS = frozenset(("D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"))
OPTION_ACTIONS = frozenset(("K", "C"))
_PRIVATE = "ODDXXXXX"
_TYPE_1, _TYPE_2 = "1", "2"


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``pattern`` is the tag in eight hexadecimal digits, ``X`` for any; private rows begin with ``ODD``.

    ``keyword`` and ``vr`` are "" where the dictionary has none. ``composite`` is Y, N, or "" (not known). ``options``
    holds the action (K or C) of each option that has one.
    """

    pattern: str
    name: str
    keyword: str
    vr: str
    retired: bool
    composite: str
    basic: str
    options: dict[str, str]

    @property
    def tag(self) -> int | None:
        """The tag, None where the row names a family of them."""
        return None if "X" in self.pattern else int(self.pattern, 16)

    def action(self, options: Collection[str] = ()) -> str:
        """What is done where these options are claimed: K, C, or the basic action.

        The option that retains most wins: K before C, C before the Basic Profile.
        """
        claimed = {self.options[name] for name in options if name in self.options}
        return "K" if "K" in claimed else "C" if "C" in claimed else self.basic


@cache
def table() -> tuple[Row, ...]:
    """All rows, in order of tag. Raises ``ValueError`` where the file is not what it should be."""
    text = (Path(__file__).parent / "confidentiality.tsv").read_text(encoding="utf-8")
    rows = tuple(_row(cells) for cells in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    if len({row.pattern for row in rows}) != len(rows):
        raise ValueError("confidentiality.tsv: a tag stands twice")
    return rows


def row_of(tag: int) -> Row | None:
    """The row that speaks of a tag, None where the table does not.

    >>> row_of(0x00100010).basic, row_of(0x60023000).name, row_of(0x00291010).name, row_of(0x00280010)
    ('Z', 'Overlay Data', 'Private Attributes', None)
    """
    exact, families = _index()
    if tag in exact:
        return exact[tag]
    written = f"{tag:08X}"
    for row in families:
        if row.pattern != _PRIVATE and all(p in ("X", w) for p, w in zip(row.pattern, written, strict=True)):
            return row
    return families[-1] if tag >> 16 & 1 else None


def settled(action: str, kind: str) -> str:
    """The one action that a combined action means for an attribute of this type in the IOD (PS3.15 E.1.1).

    >>> settled("X/Z/D", "1"), settled("X/Z", "2"), settled("X/Z/U*", "3"), settled("U", "1")
    ('D', 'Z', 'X', 'U')
    """
    choices = action.split("/")
    if len(choices) == 1:
        return action
    if kind.startswith(_TYPE_1):
        return next((c for c in ("D", "U*", "Z") if c in choices), choices[-1])
    if kind.startswith(_TYPE_2):
        return "Z" if "Z" in choices else choices[-1]
    return choices[0]


@cache
def _index() -> tuple[dict[int, Row], tuple[Row, ...]]:
    exact = {row.tag: row for row in table() if row.tag is not None}
    families = sorted((row for row in table() if row.tag is None), key=lambda row: row.pattern == _PRIVATE)
    return exact, tuple(families)


def _row(cells: dict[str, str]) -> Row:
    options = {name: cells[name] for name in OPTIONS if cells[name]}
    if cells["basic"] not in BASIC_ACTIONS or not set(options.values()) <= OPTION_ACTIONS:
        raise ValueError(f"confidentiality.tsv: {cells['tag']}: unknown action")
    return Row(
        pattern=cells["tag"],
        name=cells["name"],
        keyword=cells["keyword"],
        vr=cells["vr"],
        retired=cells["retired"] == "Y",
        composite=cells["composite"],
        basic=cells["basic"],
        options=options,
    )
