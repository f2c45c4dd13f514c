"""Protocols as dicompare's JSON schema, in and out.

The format is that of dicompare 0.2 (its metaschema ``https://dicompare.org/metaschema/v1``): acquisitions by name, each
with constraints on DICOM fields (``value`` with ``tolerance``, or ``min`` and ``max``, with graded ``errorMin`` and
``errorMax``), series within an acquisition, and rules. What one side cannot say is listed, never dropped in silence.
What only we can say stands in an acquisition's ``tags``, on which dicompare does not act. Rules are Python text: they
are named, and never run.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trialbids.mappings.contradictions import contradictions
from trialbids.mappings.parameters import MOST_B, PARAMETERS
from trialbids.mappings.protocol import BValues, Limit, Protocol, Range, Slot, Window

from ...errors import UsageError
from ...harmonise.facts import vendor
from ..jsonfile import Number, Strict, read_json
from .guess import guess_match

METASCHEMA = "https://dicompare.org/metaschema/v1"
MOST_BYTES = 20_000_000
MARK = "trialbids:"
SOURCE = re.compile(r"source ([\w.-]+)(?:: (.*))?", re.DOTALL)

FIELDS: Mapping[str, tuple[str, str, str]] = {
    "te": ("EchoTime", "0018,0081", "DS"),
    "tr": ("RepetitionTime", "0018,0080", "DS"),
    "ti": ("InversionTime", "0018,0082", "DS"),
    "flip": ("FlipAngle", "0018,1314", "DS"),
    "field": ("MagneticFieldStrength", "0018,0087", "DS"),
    "echo_train": ("EchoTrainLength", "0018,0091", "IS"),
    "averages": ("NumberOfAverages", "0018,0083", "DS"),
    "bandwidth": ("PixelBandwidth", "0018,0095", "DS"),
    "thickness": ("SliceThickness", "0018,0050", "DS"),
    "spacing": ("SpacingBetweenSlices", "0018,0088", "DS"),
    "phases": ("NumberOfTemporalPositions", "0020,0105", "IS"),
}
"""The DICOM field of each parameter that has one; both sides state it in the field's own unit."""

PARAMETER_OF = {name: parameter for parameter, (name, _, _) in FIELDS.items()} | {"PixelSpacing": "pixel"}
B_FIELD, B_TAG = "DiffusionBValue", "0018,9087"
SAID_BY_MATCH = frozenset({"Modality", "MRAcquisitionType", "ScanningSequence", "SequenceVariant", "ImageType"})
"""Fields that say what kind of image it is: in our protocols the match of a slot does."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A protocol made from a schema, and what of the schema it does not say, each in a sentence."""

    protocol: Protocol
    unexpressed: tuple[str, ...]


class _Field(Strict):
    field: str
    min: Number | None = None
    max: Number | None = None
    tolerance: Number | None = None
    errorMin: Number | None = None
    errorMax: Number | None = None
    contains_any: list[Any] | None = None


class _Series(Strict):
    fields: list[_Field] | None = None


class _Acquisition(_Series):
    description: str | None = None
    series: list[_Series] | None = None
    rules: list[dict[str, Any]] | None = None
    tags: list[str] | None = None


class _Schema(Strict):
    """What of a schema must have a form, so that it can be read."""

    name: str | None = None
    version: str | Number | None = None
    description: str | None = None
    acquisitions: dict[str, _Acquisition]
    rules: list[dict[str, Any]] | None = None


def read_schema(path: Path) -> dict[str, Any]:
    """The content of a schema file. Raises ``UsageError`` with file, line and what was expected."""
    return read_json(path, _Schema, "give a schema of dicompare", MOST_BYTES)[1]


def _numbers(value: Any) -> list[float]:
    """The numbers of a value or a list of them, empty where one is none."""
    several: list[Any] = value if isinstance(value, list) else [value]
    return [float(v) for v in several] if all(map(_is_number, several)) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass
class _Reading:
    """What is met while one schema is read."""

    sources: dict[str, str] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)


def import_schema(data: Mapping[str, Any], name: str = "the schema") -> Imported:
    """Our protocol from a schema that :func:`read_schema` gave.

    Raises ``UsageError`` where its tags contradict each other; ``name`` is what the sentence calls it.
    """
    reading, slots = _Reading(), list[Slot]()
    for called, acquisition in data["acquisitions"].items():
        slot = _slot(called, acquisition, {s.slot for s in slots}, reading)
        if slot is not None:
            slots.append(slot)
    reading.listed += [f"the rule {_named(r)} of the whole protocol is Python text" for r in data.get("rules") or ()]
    reading.listed += _alike(slots)
    protocol = Protocol(
        protocol=_id(str(data.get("name") or "imported"), ()), version=str(data.get("version") or "1"),
        meaning=str(data.get("description") or ""), sources=reading.sources, slots=tuple(slots),
    )  # fmt: skip
    for place, sentence in contradictions(protocol):
        named = ".".join(str(part) for part in place if not isinstance(part, int))
        raise UsageError(f"{name}: {named}: {sentence}")
    return Imported(protocol, tuple(reading.listed))


def _slot(name: str, acquisition: Mapping[str, Any], taken: set[str], reading: _Reading) -> Slot | None:
    """One acquisition as a slot, None where it is not told which images are meant."""
    marks = dict(_marks(acquisition.get("tags") or ()))
    fields: list[Any] = list(acquisition.get("fields") or ())
    series: list[Any] = list(acquisition.get("series") or ())
    inner = [one for part in series for one in part.get("fields") or ()]
    match = _marked_match(marks) or guess_match(name, acquisition, [*fields, *inner])
    if not match:
        reading.listed.append(f"{name[:80]}: what kind of image it is cannot be told; there is no slot for it")
        return None
    reading.listed += [f"{name}: the rule {_named(r)} is Python text" for r in acquisition.get("rules") or ()]
    limits, bvalues = _limits(name, fields, series, reading)
    return Slot(
        slot=_id(name, taken), meaning=str(acquisition.get("description") or ""),
        required=True if "optional" not in marks else None, match=match, limits=limits, bvalues=bvalues,
        pick=tuple(marks["pick"].split()) if "pick" in marks else Slot.model_fields["pick"].default,
        source=marks.get("source", ""),
    )  # fmt: skip


def _limits(
    name: str, fields: Iterable[Mapping[str, Any]], series: Iterable[Mapping[str, Any]], reading: _Reading
) -> tuple[dict[str, Limit], BValues | None]:
    """The limits of an acquisition: its own, those of vendors, and the span over series that no vendor names."""
    limits: dict[str, Limit] = {}
    bvalues: BValues | None = None
    for one in fields:
        if one["field"] in (B_FIELD, "DiffusionbValue"):
            bvalues = _bvalues(name, one, reading)
        elif (found := _limit(name, one, reading)) is not None:
            limits[found[0]] = found[1]
    spans: dict[str, list[Limit]] = {}
    for one in series:
        inner = [f for f in one.get("fields") or () if f["field"] != "Manufacturer"]
        by = next((_vendor_of(f) for f in one.get("fields") or () if f["field"] == "Manufacturer"), "")
        for found in filter(None, (_limit(f"{name}, series {one.get('name', '')}", f, reading) for f in inner)):
            if by:
                whole = limits.get(found[0]) or Limit(unit=PARAMETERS[found[0]].unit, tolerance=found[1].tolerance)
                own = Range(min=found[1].min, max=found[1].max, source=found[1].source)
                limits[found[0]] = whole.model_copy(update={"vendors": {**whole.vendors, by: own}})
            else:
                spans.setdefault(found[0], []).append(found[1])
    for parameter, several in spans.items():
        lows, highs = [s.min for s in several], [s.max for s in several]
        low = None if None in lows else min(x for x in lows if x is not None)
        high = None if None in highs else max(x for x in highs if x is not None)
        if parameter not in limits and (low is not None or high is not None):
            limits[parameter] = several[0].model_copy(update={"min": low, "max": high})
    return limits, bvalues


def _limit(name: str, one: Mapping[str, Any], reading: _Reading) -> tuple[str, Limit] | None:
    """One constraint as the limit of a parameter, None where it is listed instead."""
    keyword = one["field"].replace(" ", "")
    parameter = PARAMETER_OF.get(keyword)
    if parameter is None:
        if keyword not in SAID_BY_MATCH:
            reading.listed.append(f"{name}: {keyword} is no parameter of our protocols")
        return None
    if one.get("severity") == "warning":
        reading.listed.append(f"{name}: {keyword} is for information there, and no limit")
        return None
    low, high = _bounds(one)
    if low is None and high is None:
        reading.listed.append(f"{name}: {keyword} is not compared as a number")
        return None
    known = PARAMETERS[parameter]
    if any(x is not None and not known.least <= x <= known.most for x in (low, high)):
        reading.listed.append(f"{name}: {keyword} of {low} to {high} is none that a scanner has in {known.unit}")
        return None
    source = _source(str(one.get("notes") or ""), reading)
    return parameter, Limit(
        min=low, max=high, unit=known.unit, tolerance=_tolerance(name, one, low, high, reading), source=source
    )


def _bounds(one: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The bounds of a constraint: stated, or around a value; of a list, around all its numbers."""
    low, high = one.get("min"), one.get("max")
    if low is not None or high is not None:
        return None if low is None else float(low), None if high is None else float(high)
    values = _numbers(one.get("value"))
    if not values:
        return None, None
    reach = float(one.get("tolerance") or 0.0)
    if one["field"] == "PixelSpacing":
        values = [max(values)]
    return min(values) - reach, max(values) + reach


def _tolerance(
    name: str, one: Mapping[str, Any], low: float | None, high: float | None, reading: _Reading
) -> float | None:
    """Graded edges as a share of the bounds; a value with a tolerance of its own has no further one."""
    shares = [
        round(abs(edge - bound) / abs(bound), 6)
        for bound, edge in ((low, one.get("errorMin")), (high, one.get("errorMax")))
        if bound and edge is not None
    ]
    if shares and max(shares) == min(shares) <= 1:
        return shares[0]
    if shares or one.get("errorTolerance") is not None:
        reading.listed.append(f"{name}: the graded edges of {one['field']} are no one share; the target alone is kept")
    return 0.0 if shares or "value" in one else None


def _bvalues(name: str, one: Mapping[str, Any], reading: _Reading) -> BValues | None:
    """Exact b-values as windows, all of them required."""
    values = _numbers(one.get("contains_all", one.get("value")))
    if not values or not all(0 <= v <= MOST_B for v in values):
        reading.listed.append(f"{name}: {one['field']} is no list of b-values")
        return None
    windows = tuple(Window(min=float(b), max=float(b), required=True) for b in sorted(set(values)))
    return BValues(unit="s/mm2", windows=windows, source=_source(str(one.get("notes") or ""), reading))


def _vendor_of(one: Mapping[str, Any]) -> str:
    words = [one.get("value"), one.get("contains"), *(one.get("contains_any") or ())]
    return next((vendor(str(w)) for w in words if w), "")


def _source(notes: str, reading: _Reading) -> str:
    """The source that the notes of a constraint name, as :func:`export_schema` writes them."""
    match = SOURCE.fullmatch(notes)
    if match is None:
        return ""
    if match[2]:
        reading.sources[match[1]] = match[2]
    return match[1]


def _marks(tags: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for tag in tags:
        if isinstance(tag, str) and tag.startswith(MARK):
            key, _, value = tag.removeprefix(MARK).partition("=")
            yield key, value


def _marked_match(marks: Mapping[str, str]) -> dict[str, tuple[str, ...]] | str:
    """The match that our own export wrote, empty where there is none."""
    if "match" in marks:
        return marks["match"]
    return {key.removeprefix("match."): tuple(v.split()) for key, v in marks.items() if key.startswith("match.")}


def _named(rule: Any) -> str:
    return str(rule.get("id") or rule.get("name") or "?") if isinstance(rule, dict) else "?"


def _alike(slots: Sequence[Slot]) -> Iterator[str]:
    """Slots that mean the same images."""
    seen: dict[str, str] = {}
    for slot in slots:
        key = json.dumps(slot.model_dump(mode="json")["match"], sort_keys=True)
        if key in seen:
            yield f"{slot.slot} and {seen[key]} mean the same images: no attribute of ours tells them apart"
        seen.setdefault(key, slot.slot)


def _id(name: str, taken: Iterable[str]) -> str:
    """A name as an id of ours: lower case, digits, hyphens and points, each once."""
    plain = re.sub(r"[^a-z0-9.]+", "-", name.lower())
    plain = re.sub(r"[.-]*\.[.-]*", ".", plain).strip("-.")[:56] or "image"
    used, n, found = set(taken), 1, plain.strip("-.")
    while found in used:
        n += 1
        found = f"{plain.strip('-.')}-{n}"
    return found
