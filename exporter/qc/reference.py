"""The list of all checks, as a person looks them up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .check import ERROR, INFO, WARNING, Check, tolerance_keys
from .codes import MEANING, STEP_OF
from .tables import all_tables

LETTERS = {ERROR: "E", WARNING: "W", INFO: "I"}
UNTABLED: Mapping[str, tuple[str, str]] = {
    "F01": ("instance session", "EWI"),
    "F03": ("stack", "E"),
    "C01": ("series", "E"),
    "C02": ("instance", "E"),
    "C03": ("subject", "W"),
    "C04": ("subject", "E"),
    "C06": ("subject", "W"),
    "C09": ("subject", "WI"),
    "D01": ("instance", "I"),
    "D03": ("series", "W"),
    "A01": ("series", "E"),
    "A02": ("series", "E"),
    "A03": ("series", "W"),
    "A04": ("series", "W"),
    "A05": ("series", "W"),
    "A06": ("series", "W"),
    "N01": ("subject", "WI"),
    "S01": ("subject", "E"),
    "S02": ("release", "E"),
    "S03": ("release", "W"),
    "S04": ("release", "W"),
    "Q99": ("stack", "W"),
    **dict.fromkeys(("M01", "M02", "M03", "M04"), ("stack", "E")),
}
"""Levels and severities of what is no row of a table; of some checks a stage notices more than their rows do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One check: ``severities`` are letters of E, W and I; ``tolerances`` are by what trial.yaml calls them."""

    code: str
    step: str
    levels: tuple[str, ...]
    severities: str
    meaning: str
    tolerances: Mapping[str, str]


def entries() -> list[Entry]:
    """Every check by its code, in the order of the letters."""
    rows: dict[str, list[Check[Any]]] = defaultdict(list)
    tolerances: dict[str, dict[str, str]] = defaultdict(dict)
    for table in all_tables():
        keys = tolerance_keys(table)
        for n, check in enumerate(table):
            rows[check.code].append(check)
            if check.tolerance:
                tolerances[check.code][keys[n]] = f"{check.tolerance:g} {check.unit}".strip()
    found = []
    for code, meaning in sorted(MEANING.items()):
        more, letters = UNTABLED.get(code, ("", ""))
        levels = tuple(dict.fromkeys((*(c.level for c in rows[code]), *more.split())))
        severities = {LETTERS[c.severity] for c in rows[code]} | {*letters}
        word = "".join(letter for letter in "EWI" if letter in severities)
        found.append(Entry(code, STEP_OF[code], levels, word, meaning, dict(tolerances[code])))
    return found
