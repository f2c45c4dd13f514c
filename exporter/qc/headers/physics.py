"""Figures of an acquisition that no scanner and no patient has (F06), on original images alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from ...inventory.instance import Instance
from ...inventory.moment import day_of
from ..check import Evidence

OLDEST = 110.0
DAYS_OF_A_YEAR = 365.25
AGE_UNITS = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": DAYS_OF_A_YEAR}


@dataclass(frozen=True, slots=True)
class Range:
    """What a figure can be in images of one kind: from ``least`` to ``most``; zero too where ``zero`` says so."""

    keyword: str
    unit: str
    least: float
    most: float
    of: Callable[[Instance], bool]
    zero: bool = False

    def holds(self, value: float) -> bool:
        """Whether the value can be."""
        return self.least <= value <= self.most or (self.zero and value == 0)


def is_mr(i: Instance) -> bool:
    """A magnetic resonance image."""
    return i.Modality == "MR"


def is_planar(i: Instance) -> bool:
    """An echo-planar image by its flags."""
    return is_mr(i) and ("EP" in i.ScanningSequence or i.SequenceName.lstrip("*").startswith("ep"))


def is_spin(i: Instance) -> bool:
    """A spin echo by its flags, and not echo planar."""
    told = "SE" in i.ScanningSequence and "GR" not in i.ScanningSequence
    return is_mr(i) and not is_planar(i) and (told or i.EchoPulseSequence == "SPIN")


def is_gradient(i: Instance) -> bool:
    """A gradient echo by its flags, and not echo planar."""
    told = "GR" in i.ScanningSequence and "SE" not in i.ScanningSequence
    return is_mr(i) and not is_planar(i) and (told or i.EchoPulseSequence == "GRADIENT")


def is_ct(i: Instance) -> bool:
    """A computed tomogram."""
    return i.Modality == "CT"


def is_sliced(i: Instance) -> bool:
    """An image of a slice."""
    return i.Modality in ("MR", "CT", "PT")


RANGES = (
    Range("EchoTime", "ms", 0.0, 3000.0, is_mr),
    Range("EchoTime", "ms", 2.0, 3000.0, is_spin),
    Range("EchoTime", "ms", 0.025, 300.0, is_gradient, zero=True),
    Range("EchoTime", "ms", 1.0, 500.0, is_planar),
    Range("RepetitionTime", "ms", 0.3, 60_000.0, is_mr),
    Range("RepetitionTime", "ms", 20.0, 60_000.0, is_spin),
    Range("RepetitionTime", "ms", 20.0, 60_000.0, is_planar),
    Range("InversionTime", "ms", 0.0, 20_000.0, is_mr),
    Range("FlipAngle", "degrees", 0.5, 180.0, is_mr),
    Range("FlipAngle", "degrees", 5.0, 180.0, is_spin),
    Range("MagneticFieldStrength", "T", 0.05, 11.7, is_mr),
    Range("SliceThickness", "mm", 0.05, 150.0, is_sliced),
    Range("KVP", "kV", 40.0, 200.0, is_ct),
)
"""Wide enough for ultrashort echo times and thick slabs, narrow enough that a figure in s or µs falls out. The field is
that of whole-body scanners, from portable ones to the strongest."""

_figures = attrgetter(
    "Modality", "ImageType", "ScanningSequence", "SequenceVariant", "SequenceName", "EchoPulseSequence", "EchoTime",
    "RepetitionTime", "InversionTime", "FlipAngle", "MagneticFieldStrength", "SliceThickness", "KVP", "PixelSpacing",
    "PatientAge", "PatientBirthDate", "StudyDate",
)  # fmt: skip


def implausible(instances: Sequence[Instance]) -> Iterator[Evidence]:
    """One evidence a figure that cannot be."""
    found: dict[str, Evidence] = {}
    for i in {_figures(i): i for i in instances}.values():
        if "DERIVED" in i.ImageType[:1]:
            continue
        for evidence in (*_outside(i), *_late_echo(i), *_too_old(i), *_no_pixel(i)):
            found.setdefault(evidence.key, evidence)
    yield from found.values()


def _outside(i: Instance) -> Iterator[Evidence]:
    for r in RANGES:
        value = getattr(i, r.keyword)
        if value is not None and not r.holds(value) and r.of(i):
            message = f"{r.keyword} is {value:g} {r.unit}: it can be {r.least:g} to {r.most:g}"
            yield Evidence(message, r.keyword, ((r.keyword, float(value)),))


def _late_echo(i: Instance) -> Iterator[Evidence]:
    """An echo follows the excitation within one TR; a steady state alone can echo that of the TR before."""
    if not i.EchoTime or not i.RepetitionTime or i.EchoTime < i.RepetitionTime:
        return
    if is_spin(i) or (is_gradient(i) and "SS" not in i.SequenceVariant and "psif" not in i.SequenceName):
        message = f"EchoTime ({i.EchoTime:g} ms) is not shorter than RepetitionTime ({i.RepetitionTime:g} ms)"
        yield Evidence(message, "EchoTime-RepetitionTime", (("EchoTime", i.EchoTime),))


def _too_old(i: Instance) -> Iterator[Evidence]:
    """By the age as stored, or by the dates of birth and study."""
    said = i.PatientAge.strip()
    number, unit = said[:-1], AGE_UNITS.get(said[-1:])
    age = float(number) / unit if unit and number.isdecimal() else 0.0
    born, seen = day_of(i.PatientBirthDate), day_of(i.StudyDate)
    if born is not None and seen is not None:
        age = max(age, (seen - born) / DAYS_OF_A_YEAR)
    if age > OLDEST:
        yield Evidence(f"the patient would be older than {OLDEST:g} years", "PatientAge")


def _no_pixel(i: Instance) -> Iterator[Evidence]:
    """A pixel of a slice smaller than a cell or larger than a hand."""
    if is_sliced(i) and i.PixelSpacing and not all(0.01 <= p <= 30 or p <= 0 for p in i.PixelSpacing):
        yield Evidence(f"PixelSpacing is {i.PixelSpacing[0]:g} mm", "PixelSpacing", (("mm", i.PixelSpacing[0]),))
