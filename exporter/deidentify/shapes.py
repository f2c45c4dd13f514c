"""The forms that a released value may have: numbers, closed words, patterns and codes of ours, key by key."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import product
from typing import Any

from trialbids.mappings.fields import LARGEST_NUMBER, AllowList, Field, allow_list, legal_number
from trialbids.mappings.names import name_rules
from trialbids.mappings.record import Record, check_value
from trialbids.mappings.vocabulary import vocabulary

from .options import BASIC, CHARACTERISTICS, DEVICE, FULL_DATES, MODIFIED_DATES, VISUAL_FEATURES, Options
from .sidecar import INGREDIENTS

Shape = Callable[[Any], bool]

UID = re.compile(r"2\.25\.\d{1,39}")
_UID_LIKE = re.compile(r"(?<![\d.])[0-2](\.\d+){3,}")
UID_ROOTS = ("1.2.", "1.3.", "2.16.")
"""Where organisations get their UIDs (ISO member bodies, identified organisations, countries)."""
LEAST_DOTS_ANYWHERE = 5
"""Below other roots a UID has six components and more; fewer are a version."""
TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d{1,6})?")
STAMP = re.compile(r"(\d{4})-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?)?")
LAST_YEAR = 1925
LABEL = re.compile(r"[0-9A-Za-z]+")
ACQUISITION = re.compile(r"a\d{2,4}")
RULE_ID = re.compile(r"[A-Za-z][\w.:/+-]{0,63}")
UNITS = re.compile(r"arbitrary|mm2/s|[0-9.e+-]{1,12} mm2/s|HU|Bq/mL")
VERSION = re.compile(r"[vV]?[0-9][0-9A-Za-z.+-]{0,31}")
AGE = re.compile(r"\d{1,3}(\.\d{1,7})?(-\d{1,3}|\+)?")
CODES = {c.value: c.meaning for c in (BASIC, VISUAL_FEATURES, FULL_DATES, MODIFIED_DATES, CHARACTERISTICS, DEVICE)}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a tree may hold: its allow-list, values that a person accepted (by keyword), whether dates were kept,
    whether DICOM lies in it, what the trial says of its clinical columns, which of them may hold text, and
    the sentence of each criterion by its reason.
    """

    allowed: AllowList = field(default_factory=allow_list)
    accepted: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    keep_dates: bool = False
    sourcedata: bool = True
    told: frozenset[str] = field(default=frozenset(), repr=False)
    text_columns: frozenset[str] = frozenset()
    criteria: Mapping[str, str] = field(default_factory=dict)


def shape_of(key: str, rules: Rules) -> Shape | None:
    """What the value of a key of an image's JSON must look like, None where no such key may stand there."""
    for listed in rules.allowed.fields:
        if listed.bids == key:
            return _field_shape(listed, rules.accepted.get(listed.keyword, frozenset()))
    for derived in rules.allowed.derived:
        if derived.key == key:
            return partial(_is_word, derived.words) if derived.words else partial(_numbers, key)
    return _OWN.get(key) if key in rules.allowed.own else None


def _field_shape(listed: Field, accepted: frozenset[str]) -> Shape:
    match listed.action:
        case "hash":
            return lambda v: _matches(UID, v)
        case "offset":
            return lambda v: _matches(TIME, v)
        case "number" | "asked":
            return lambda v: _numbers(listed.bids, v)
        case _:
            return lambda v: _passes(listed, accepted, v)


def _passes(listed: Field, accepted: frozenset[str], value: Any) -> bool:
    """Every word is one that passes; several words of one field may be joined by an underscore."""
    if isinstance(value, list):
        return all(_passes(listed, accepted, v) for v in value)
    if not isinstance(value, str):
        return False
    if listed.passes(value) or value in accepted:
        return True
    parts = value.split("_")
    starts = [listed.passes(head) or head in accepted for n in range(1, len(parts)) if (head := "_".join(parts[:n]))]
    return any(ok and _passes(listed, accepted, "_".join(parts[n:])) for n, ok in enumerate(starts, start=1))


def _is_word(words: frozenset[str], value: Any) -> bool:
    return isinstance(value, str) and value in words


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def is_number(value: Any) -> bool:
    """Is a value a finite number?"""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(key: str, value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(_numbers(key, v) if isinstance(v, list) else is_number(v) and legal_number(key, v) for v in values)


def _small(value: Any) -> bool:
    return is_number(value) and abs(value) <= LARGEST_NUMBER


def is_released_uid(text: str) -> bool:
    """Is a UID a pseudonym, or one that the standard registers?

    >>> is_released_uid("2.25.4711"), is_released_uid("1.2.840.10008.1.2.1"), is_released_uid("1.2.840.99.1.2")
    (True, True, False)
    """
    return UID.fullmatch(text) is not None or text in _registered()


@cache
def _registered() -> frozenset[str]:
    """Every UID of PS3.6."""
    # half of pydicom, which most trees need no more
    from pydicom.uid import UID_dictionary  # pyright: ignore[reportPrivateImportUsage]

    return frozenset(UID_dictionary)


def foreign_uids(text: str) -> Iterator[str]:
    """What looks like a UID in a text, and is none that may leave: whose it is, nobody here needs to know.

    >>> list(foreign_uids("of 1.3.12.2.1107.5, as 2.25.4711 by pydicom 3.0.2 and 1.0.20260724"))
    ['1.3.12.2.1107.5']
    """
    for found in _UID_LIKE.finditer(text):
        token = found[0]
        is_long = token.count(".") >= LEAST_DOTS_ANYWHERE
        if (is_long or token.startswith(UID_ROOTS)) and not is_released_uid(token):
            yield token


def is_stamp(value: str, *, keep_dates: bool) -> bool:
    """Is this a moment as it may leave: moved to 1925 or before, unless the trial keeps dates?"""
    found = STAMP.fullmatch(value)
    return found is not None and (keep_dates or int(found[1]) <= LAST_YEAR)


def is_cell(column: str, cell: str) -> bool:
    """Is a cell one of the harmonised record's column?"""
    if column == "confidence":
        return _is_share(cell)
    attribute = vocabulary().get(column)
    if attribute is None:
        return False
    try:
        record = Record.from_row({column: cell})
    except ValueError:
        return False
    return cell == record.to_row()[column] or _same_numbers(cell, record.to_row()[column])


def _same_numbers(one: str, other: str) -> bool:
    try:
        return [float(v) for v in one.split()] == [float(v) for v in other.split()]
    except ValueError:
        return False


def _is_share(cell: str) -> bool:
    try:
        return 0 <= float(cell) <= 1
    except ValueError:
        return False


def _harmonised(value: Any) -> bool:
    """A record as ``Record.to_json`` writes it."""
    if not isinstance(value, dict):
        return False
    for name, entry in value.items():
        attribute = vocabulary().get(name)
        if attribute is not None:
            try:
                check_value(name, tuple(entry) if isinstance(entry, list) else entry, attribute.kind, attribute.values)
            except (ValueError, TypeError):
                return False
        elif name == "confidence":
            if not is_number(entry):
                return False
        elif name != "evidence" or not all(_matches(RULE_ID, rule) for rule in entry):
            return False
    return True


def _codes(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(c, dict)
        and set(c) == {"CodeValue", "CodingSchemeDesignator", "CodeMeaning"}
        and c["CodingSchemeDesignator"] == "DCM"
        and CODES.get(c["CodeValue"]) == c["CodeMeaning"]
        for c in value
    )


@cache
def _body_parts() -> frozenset[str]:
    return frozenset(part.upper() for part in vocabulary()["bodypart"].values)


@cache
def methods() -> frozenset[str]:
    """Every sentence of ``DeidentificationMethod``."""
    return frozenset(
        sentence
        for dates, times, defaced in product((False, True), repeat=3)
        for sentence in Options(keep_dates=dates, keep_times=times).methods(defaced=defaced)
    )


def _are_methods(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) and v in methods() for v in value)


_OWN: Mapping[str, Shape] = {
    "Harmonised": _harmonised,
    "AcquisitionID": lambda v: _matches(ACQUISITION, v),
    "BodyPart": lambda v: v in _body_parts(),
    "BodyPartDetails": lambda v: isinstance(v, str) and v.lower() in vocabulary()["laterality"].values,
    "BodyPartDetailsOntology": lambda v: v == "https://www.fda.gov",
    "ContrastBolusIngredient": lambda v: v in INGREDIENTS.values(),
    "Units": lambda v: _matches(UNITS, v),
    "ADCScale": _small,
    "TaskName": lambda v: v == "unknown",
    "PulseSequenceType": lambda v: v in name_rules().pulse_sequences.values(),
    "RepetitionTimeExcitation": _small,
    "DeidentificationMethod": _are_methods,
    "DeidentificationMethodCodeSequence": _codes,
    "ConversionSoftware": lambda v: v in ("dcm2niix", "trialbids", "pydicom"),
    "ConversionSoftwareVersion": lambda v: _matches(VERSION, v),
}
PROSE = frozenset(("DeidentificationMethod",))
"""Keys of which the text is searched although its form is right."""
