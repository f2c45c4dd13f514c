"""What a criterion may read, by level: a table of names, and the values that stacks have under them.

The names stand here and not in ``mappings``: they are fields of the exporter's own instance, with a little arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any

from trialbids.mappings import participant
from trialbids.mappings.criteria import Value
from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary

from ..harmonise.facts import vendor
from ..inventory.instance import Instance
from ..stacks.stack import Stack
from .flow import LEVELS

IMAGE_LEVELS = LEVELS[:2]

Read = Callable[[Instance], Value]


@dataclass(frozen=True, slots=True)
class Fact:
    """One name: the kind of its values, the levels at which it can be asked for, and what it is, for people."""

    kind: type
    levels: tuple[str, ...]
    meaning: str


OWN: Mapping[str, Fact] = {
    "site": Fact(str, LEVELS, "the label of the site"),
    "session": Fact(str, LEVELS[:3], "the label of the session"),
    "days": Fact(int, LEVELS[:3], "days since the subject's first session"),
    "n_sessions": Fact(int, LEVELS, "sessions of the subject with images that are kept"),
    "n_series": Fact(int, LEVELS[2:], "series with images that are kept"),
    "n_images": Fact(int, LEVELS[1:], "images that are kept"),
}
"""What a plan knows of the unit itself. No column of a table takes the place of these."""

STACK: Mapping[str, tuple[type, Callable[[Stack], Value]]] = {
    "n_slices": (int, lambda s: s.n_slices),
    "n_volumes": (int, lambda s: s.n_volumes),
    "n_instances": (int, lambda s: len(s.instances)),
    "n_bvalues": (int, lambda s: len(set(s.bvalues))),
    "b_max": (float, lambda s: max(s.bvalues, default=None)),
}
"""What a stack is made of."""

NOMINAL_TESLA = (
    *(0.2, 0.23, 0.25, 0.3, 0.35, 0.4, 0.5, 0.55, 0.6, 0.7, 1.0, 1.2),
    *(1.5, 3.0, 4.7, 5.0, 7.0, 9.4, 10.5, 11.7),
)
NEAR = 0.05
GAUSS = 1e4


def tesla(field: float | None) -> float | None:
    """The nominal field strength in tesla; scanners write what they measured, and some write gauss.

    >>> tesla(2.89362), tesla(1.494), tesla(15000.0), tesla(0.064), tesla(None)
    (3.0, 1.5, 1.5, 0.064, None)
    """
    if field is None or field <= 0:
        return None
    value = field / GAUSS if field >= GAUSS * NOMINAL_TESLA[0] else field
    nearest = min(NOMINAL_TESLA, key=lambda nominal: abs(value / nominal - 1))
    return nearest if abs(value / nearest - 1) <= NEAR else value


def years(instance: Instance) -> int | None:
    """Whole years of age when the study was made, from PatientAge or from the date of birth.

    >>> years(Instance(path="", PatientAge="042Y")), years(Instance(path=""))
    (42, None)
    """
    stated = participant.years(instance.PatientAge.strip())
    if stated is not None:
        return stated
    try:
        born = datetime.strptime(instance.PatientBirthDate[:8], "%Y%m%d")
        seen = datetime.strptime(instance.StudyDate[:8], "%Y%m%d")
    except ValueError:
        return None
    age = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    return age if 0 <= age <= 150 else None


PERSON: Mapping[str, tuple[type, Read]] = {
    "sex": (str, lambda i: i.PatientSex if i.PatientSex in ("F", "M", "O") else None),
    "age": (int, years),
}
SHORT: Mapping[str, tuple[type, Read]] = {
    "modality": (str, lambda i: i.Modality),
    "vendor": (str, lambda i: vendor(i.Manufacturer)),
    "manufacturer": (str, lambda i: i.Manufacturer),
    "model": (str, lambda i: i.ManufacturerModelName),
    "software": (str, lambda i: i.SoftwareVersions),
    "field_strength": (float, lambda i: tesla(i.MagneticFieldStrength)),
    "repetition_time": (float, lambda i: i.RepetitionTime),
    "echo_time": (float, lambda i: i.EchoTime),
    "inversion_time": (float, lambda i: i.InversionTime),
    "flip_angle": (float, lambda i: i.FlipAngle),
    "slice_thickness": (float, lambda i: i.SliceThickness),
    "slice_spacing": (float, lambda i: i.SpacingBetweenSlices),
    "pixel_spacing": (float, lambda i: max(i.PixelSpacing, default=None)),
    "n_rows": (int, lambda i: i.Rows),
    "n_columns": (int, lambda i: i.Columns),
}
"""Short names of header values: times in ms, lengths in mm, angles in degrees, field strength in nominal tesla."""

_KINDS: Mapping[str, type] = {"str": str, "float": float, "int": int}


@cache
def keywords() -> Mapping[str, type]:
    """Every DICOM keyword that the inventory reads and that holds one text or number, with its kind."""
    kinds = ((f.name, str(f.type).partition(" ")[0]) for f in fields(Instance))
    return {name: _KINDS[kind] for name, kind in kinds if name[0].isupper() and kind in _KINDS}


@cache
def _attributes() -> Mapping[str, type]:
    """The attributes of the harmonised record as a criterion reads them; lists are told by has() and by n_bvalues."""
    kinds = {"word": str, "words": str, "index": int, "number": float}
    return {name: kinds[a.kind] for name, a in vocabulary().items() if a.kind in kinds} | {"confidence": float}


@cache
def header_names() -> Mapping[str, type]:
    """The names of all header values, short or keyword, with their kinds."""
    return {**keywords(), **{name: kind for name, (kind, _) in (*SHORT.items(), *PERSON.items())}}


@cache
def image_names() -> Mapping[str, type]:
    """The names of what an image is: attributes of its record, and what its stack is made of."""
    return {**_attributes(), **{name: kind for name, (kind, _) in STACK.items()}}


@cache
def plan_names(level: str) -> Mapping[str, type]:
    """The names of what the plan itself knows of a unit of this level: no column of a table takes their place."""
    own = {name: fact.kind for name, fact in OWN.items() if level in fact.levels}
    return {**(image_names() if level in IMAGE_LEVELS else {}), **own}


def legal_names(level: str, columns: Mapping[str, type]) -> dict[str, type]:
    """Every name that a criterion of this level may read, with its kind; ``columns`` are those of clinical tables."""
    return {**header_names(), **columns, **plan_names(level)}


def read_stack(stack: Stack, record: Record, names: Collection[str]) -> dict[str, Value]:
    """What a stack has under these names; None where it is absent, unknown, or not the same in all its instances."""
    return {name: _read(stack, record, name) for name in names if name in image_names() or name in header_names()}


def _read(stack: Stack, record: Record, name: str) -> Value:
    if name in STACK:
        return STACK[name][1](stack)
    if name in _attributes():
        return _word(getattr(record, name))
    read = (PERSON.get(name) or SHORT.get(name) or (str, lambda i: getattr(i, name)))[1]
    return agreed({_told(read(i)) for i in stack.instances})


def _word(value: Any) -> Value:
    """A record's value: an attribute that abstains is not known; several words stand in their order, "" for none."""
    if isinstance(value, tuple):
        return " ".join(value)
    return None if value in ("unknown", "") else value


def _told(value: Value) -> Value:
    """A header's value, None where it is empty. Scanners write more digits than they know: six are read."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value.strip() or None if isinstance(value, str) else value


def agreed(values: Iterable[Value]) -> Value:
    """The one value that all have that say any; None where none does, or two differ.

    >>> agreed([1.5, None, 1.5]), agreed(["GE", "Siemens"]), agreed([])
    (1.5, None, None)
    """
    said = {*values} - {None}
    return said.pop() if len(said) == 1 else None
