"""The codebook of a clinical table: a REDCap data dictionary (CSV), one row a field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError
from ..tables import plain, read_lines
from ..trial.clinical import LONGEST

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "name": ("variable / field name", "field_name", "variable"),
    "type": ("field type", "field_type"),
    "label": ("field label", "field_label"),
    "choices": ("choices, calculations, or slider labels", "select_choices_or_calculations", "choices"),
    "validation": ("text validation type or show slider number", "text_validation_type_or_show_slider_number",
                   "text validation type"),
    "least": ("text validation min", "text_validation_min"),
    "most": ("text validation max", "text_validation_max"),
    "identifier": ("identifier?", "identifier"),
    "note": ("field note", "field_note"),
    "annotation": ("field annotation", "field_annotation"),
}  # fmt: skip
"""What REDCap calls its columns in an export by hand, and in one by its API."""

CHOICES = frozenset({"radio", "dropdown", "select", "truefalse", "yesno"})
NUMBERS = frozenset({"calc", "slider"})
YES = frozenset({"y", "yes", "1", "true"})
TWO: Mapping[str, Mapping[str, str]] = {
    "yesno": {"1": "Yes", "0": "No"},
    "truefalse": {"1": "True", "0": "False"},
}
BY_VALIDATION = (("integer", "integer"), ("number", "number"), ("date", "date"))
"""Beginnings of REDCap's validation types, with the type of the column. A day is exported in ISO's form."""

_TAG = re.compile(r"<[^<>]*>")
_UNITS = "|".join(
    (
        r"%|[^\s()]{0,10}/[^\s()]{1,10}|[km]?g|[cmk]?m|m?l|i?u|°?c",
        r"(?:year|yr|month|week|day|hour|hr)s?|min|s|mmhg|bpm|score",
    )
)
_UNIT = re.compile(rf"[(\[]({_UNITS})[)\]]\s*[:?]?\s*$|\bunits?:\s*(\S{{1,20}})\s*$", re.IGNORECASE)
"""A unit behind a label, in brackets, or in a note as ``units: mg/dl``."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a codebook says of one field. ``refusal`` is why it may not leave, "" where it may."""

    kind: str = "text"
    levels: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    description: str = ""
    least: float | None = None
    most: float | None = None
    refusal: str = ""


def read_codebook(path: Path) -> dict[str, Entry]:
    """The fields of a data dictionary by name. Each choice of a checkbox field is a column of its own, as REDCap
    exports it (``field___code``).

    Raises ``UsageError`` where the file is no data dictionary; a wrong line is named.
    """
    rows = read_lines(path)
    found = {column.casefold(): column for column in (rows[0][1] if rows else ())}
    where = {key: next((found[h] for h in headings if h in found), "") for key, headings in HEADINGS.items()}
    for key in ("name", "type"):
        if not where[key]:
            raise UsageError(
                f"{path}: is no data dictionary of REDCap: it has no column '{HEADINGS[key][0].title()}'; export it "
                "from Project Setup as CSV"
            )
    entries: dict[str, Entry] = {}
    for line, row in rows:
        said = {key: row[column] if column else "" for key, column in where.items()}
        name = said["name"]
        if name in entries:
            raise UsageError(f"{path}: line {line}: the field {name} stands twice; remove one")
        if said["type"].casefold() == "checkbox":
            entries |= _checkboxes(path, line, name, said)
        else:
            entries[name] = _entry(path, line, said)
    return entries


def _entry(path: Path, line: int, said: Mapping[str, str]) -> Entry:
    kind = _kind(said)
    levels = TWO.get(said["type"].casefold()) or (_choices(path, line, said["choices"]) if kind == "level" else {})
    unit = _UNIT.search(said["note"]) or _UNIT.search(said["label"])
    least, most = _number(said["least"]), _number(said["most"])
    return Entry(
        kind,
        levels,
        unit=next(filter(None, unit.groups()), "").strip() if unit and kind in ("number", "integer") else "",
        description=_described(said["label"]),
        least=least,
        most=most,
        refusal=_refusal(said, kind),
    )


def _kind(said: Mapping[str, str]) -> str:
    kind, validation = said["type"].casefold(), said["validation"].casefold()
    if kind in CHOICES:
        return "level"
    if kind in NUMBERS:
        return "number"
    return next((t for start, t in BY_VALIDATION if validation.startswith(start)), "text") if kind == "text" else "text"


def _refusal(said: Mapping[str, str], kind: str) -> str:
    if said["identifier"].casefold() in YES:
        return "is an identifier"
    what = said["type"].casefold()
    if what in ("file", "descriptive", "sql"):
        return f"is a field of type {what}, which is no value"
    if what == "notes":
        return "holds notes"
    validation = said["validation"].casefold()
    if kind == "text" and validation.startswith(("email", "phone", "zip", "mrn", "ssn", "postal")):
        return "holds addresses, telephone or other numbers of people"
    return ""


def _choices(path: Path, line: int, text: str) -> dict[str, str]:
    """``1, Mild | 2, Severe`` as codes with meanings."""
    levels: dict[str, str] = {}
    for choice in filter(None, (part.strip() for part in text.split("|"))):
        code, comma, meaning = choice.partition(",")
        code = code.strip()
        if not comma or not code or code in levels:
            raise UsageError(f"{path}: line {line}: choices are written as `1, Mild | 2, Severe`, each code once")
        levels[code] = _described(meaning) or code
    if not levels:
        raise UsageError(f"{path}: line {line}: a field of choices has none; write them as `1, Mild | 2, Severe`")
    return levels


def _checkboxes(path: Path, line: int, name: str, said: Mapping[str, str]) -> dict[str, Entry]:
    label, refusal = _described(said["label"]), _refusal(said, "level")
    return {
        f"{name}___{re.sub(r'[^0-9a-z]', '_', code.casefold())}": Entry(
            "level",
            {"0": "Unchecked", "1": "Checked"},
            description=f"{label}: {meaning}"[:LONGEST] if label else meaning,
            refusal=refusal,
        )
        for code, meaning in _choices(path, line, said["choices"]).items()
    }


def _described(label: str) -> str:
    """A label without the tags of HTML and line ends."""
    return " ".join(plain(_TAG.sub(" ", label)).split())[:LONGEST]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
