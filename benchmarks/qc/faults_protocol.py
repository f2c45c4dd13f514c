"""Faults against what was agreed to be scanned: R01 to R06, B04, C08, G09, T04; against the schedule: C09, C10."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import numpy as np

from .fault import Inject, Item, fault, grade
from .faults_diffusion import vendor_of, weighted
from .faults_dynamic import clock, delayed, phases
from .faults_geometry import kept
from .faults_identity import copied, other_uid, renamed
from .scans import Slice, ds_text, pixels_of, set_pixels
from .vendors import VENDORS, add_b_value

Slices = list[Slice]
Rng = np.random.Generator
STUDY = "t2ax+t2sag+dwi"

protocol = partial(fault, trial="protocol")


@protocol("R01", "warning", "a sequence missing", kinds=(STUDY,))
def sequence_missing(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """One required sequence was not sent; two, where it is gross."""
    names = ["t2ax", "t2sag", "dwi", "adc"]
    lost = rng.choice(names, size=1 if strength < 1 else 2, replace=False)
    return kept(series, [ds for ds in series if ds.drawn.kind in lost])


def _outside(keyword: str, limit: float, gross: float) -> Inject:
    def inject(series: Slices, strength: float, rng: Rng) -> list[Item]:
        value = grade(strength, limit * (1.04 if gross > limit else 0.96), gross)
        for ds in series:
            if ds.drawn.kind != "adc":
                setattr(ds, keyword, ds_text(value))
        return list(series)

    return inject


for _keyword, _limit, _gross, _kind in (
    ("EchoTime", 112, 180, "t2ax"), ("EchoTime", 92, 62, "t2ax"), ("RepetitionTime", 5000, 12000, "t2ax"),
    ("FlipAngle", 130, 90, "t2ax"), ("SliceThickness", 4.2, 8, "t2ax"), ("EchoTime", 75, 130, "dwi"),
    ("RepetitionTime", 5000, 2200, "dwi"),
):  # fmt: skip
    _way = "above" if _gross > _limit else "below"
    protocol("R02", "warning", f"{_keyword} {_way} its range, {_kind}", kinds=(_kind,))(
        _outside(_keyword, _limit, _gross)
    )


VARIED = (
    ("EchoTime", ("95", "110")), ("EchoTrainLength", (11, 24)), ("PixelBandwidth", ("150", "330")),
    ("SliceThickness", ("3.4", "3")),
)  # fmt: skip
"""Inside of the protocol, and never what a scanner itself changes from patient to patient (TR, refocusing angle)."""


@protocol("R03", "warning", "another variant", kinds=("t2ax",))
def rare_variant(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Parameters inside of the protocol, but not those of this scanner: one of them, two, or all.

    Each case draws its own: cases of one maker that were all alike would be no rare variant among so few scans.
    """
    count = 1 if strength < 0.5 else 2 if strength < 1 else len(VARIED)
    for k in rng.permutation(len(VARIED))[:count]:
        keyword, values = VARIED[int(k)]
        value = values[int(rng.integers(len(values)))]
        for ds in series:
            setattr(ds, keyword, value)
    return list(series)


OTHER_WORDS = {"t2ax": "t1_tse_tra", "t1": "t2_tse_tra", "t2sag": "t1_tse_sag"}
OTHER_PLANES = {"t2ax": "t2_tse_cor", "t1": "t1_tse_cor", "t2sag": "t2_tse_tra"}


def _reworded(words: dict[str, str]) -> Inject:
    def inject(series: Slices, strength: float, rng: Rng) -> list[Item]:
        for ds in series:
            ds.SeriesDescription = words[ds.drawn.kind]
            if strength >= 0.5:
                ds.ProtocolName = words[ds.drawn.kind]
        return list(series)

    return inject


protocol("R04", "warning", "the text names another weighting", kinds=("t2ax", "t1", "t2sag"))(_reworded(OTHER_WORDS))
protocol("R04", "warning", "the text names another plane", kinds=("t2ax", "t1", "t2sag"))(_reworded(OTHER_PLANES))


@protocol("R05", "warning", "scanned twice", kinds=("t2ax", "t2sag"))
def scanned_twice(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The same scan was made again minutes later: once, up to three times."""
    out: list[Item] = list(series)
    for again in range(1, 2 + int(2 * strength)):
        out += _repeated(series, rng, timedelta(minutes=7 * again), again)
    return out


def _repeated(series: Slices, rng: Rng, later: timedelta, number: int, study: str = "") -> Slices:
    """The same scan made again: other noise, other identifiers, another time; in another study, if one is given."""
    uids: dict[str, str] = {}
    out: Slices = []
    for ds in series:
        new = renamed(copied(ds), other_uid(rng))
        new.SeriesInstanceUID = uids.setdefault(str(ds.SeriesInstanceUID), other_uid(rng))
        when = clock(ds) + later
        new.SeriesDate = new.AcquisitionDate = new.ContentDate = f"{when:%Y%m%d}"
        new.SeriesTime = new.AcquisitionTime = new.ContentTime = f"{when:%H%M%S.%f}"
        if study:
            new.StudyInstanceUID, new.StudyDate = study, f"{when:%Y%m%d}"
            new.FrameOfReferenceUID = uids.setdefault(str(ds.FrameOfReferenceUID), other_uid(rng))
            new.AccessionNumber = f"{ds.AccessionNumber}{number}"
        else:
            new.SeriesNumber = int(ds.SeriesNumber) + 20 * number
        noise = rng.integers(-25, 26, (ds.Rows, ds.Columns))
        set_pixels(new, np.clip(pixels_of(ds).astype(int) + noise, 0, 4095))
        out.append(new)
    return out


@protocol("R06", "warning", "new software", kinds=("t2ax",))
def new_software(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The second of two visits at one scanner was made with another version: the last letter, up to another name."""
    for ds in series:
        ds.InstitutionName, ds.DeviceSerialNumber = f"Hospital {ds.PatientID}", f"S{ds.PatientID}"
    second = _repeated(series, rng, timedelta(days=180), 1, other_uid(rng))
    said = series[0].SoftwareVersions
    old = [said] if isinstance(said, str) else list(said)
    new = [*old[:-1], f"{old[-1]}C"] if strength < 1 else ["release 99"]
    for ds in second:
        ds.SoftwareVersions = new
    return [*series, *second]


@protocol("B04", "warning", "a b-value not agreed", kinds=("dwi",))
def b_not_agreed(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The highest acquired b-value is 15 % above what was agreed, 30 %, or more than double."""
    vendor, found = VENDORS[vendor_of(series)], weighted(series)
    b = 10 * round(max(found) * {0.0: 1.15, 0.5: 1.3}.get(strength, 2.4) / 10)
    for ds in found[max(found)]:
        add_b_value(ds, vendor, b)
    return list(series)


@protocol("C08", "warning", "another body part", kinds=("t2ax", "t2sag", "t1"))
def other_body_part(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """BodyPartExamined names a part that nobody agreed to scan."""
    part = {0.0: "CHEST", 0.5: "KNEE"}.get(strength, "BRAIN")
    for ds in series:
        ds.BodyPartExamined = part
    return list(series)


@protocol("G09", "warning", "too few slices", kinds=("t2ax",))
def too_few(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Fewer slices than agreed, the outer ones lost: twelve, down to five."""
    wanted = round(grade(strength, 12, 5))
    start = (len(series) - wanted) // 2
    inside = [ds for ds in series if start <= ds.drawn.index < start + wanted]
    for ds in inside:
        for keyword in ("ImagesInAcquisition",):
            if keyword in ds:
                ds[keyword].value = wanted
    return list(inside)


@protocol("T04", "warning", "too slow", kinds=("dce",))
def too_slow(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A phase every 16 to 60 s, where one every 15 s was agreed."""
    found = phases(series)
    step = (clock(found[1][0]) - clock(found[0][0])).total_seconds()
    for index, slices in enumerate(found):
        delayed(slices, index * (grade(strength, 16.0, 60.0) - step))
    return list(series)


@protocol("T04", "warning", "too short", kinds=("dce",))
def too_short(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A dynamic scan that ends after five phases, or three."""
    found = phases(series)
    left = found[: 5 if strength < 1 else 3]
    for ds in (ds for slices in left for ds in slices):
        if "NumberOfTemporalPositions" in ds:
            ds.NumberOfTemporalPositions = len(left)
    return [ds for slices in left for ds in slices]


# --------------------------------------------------------------------------------------------------------- the schedule

VISIT_DAYS, WINDOW_DAYS = (0, 180), 14


def second_visit(series: Slices, rng: Rng) -> Slices:
    """The same patient half a year later, a few days more or less."""
    days = VISIT_DAYS[1] + int(rng.integers(-8, 9))
    return _repeated(series, rng, timedelta(days=days), 1, other_uid(rng))


def _visit(series: Slices, which: int) -> Slices:
    dates = sorted({ds.StudyDate for ds in series})
    return [ds for ds in series if ds.StudyDate == dates[which]]


@fault("C09", "error", "a patient who is not in the list", kinds=("t2ax", "t2sag", "t1"), trial="visits")
def unknown_patient(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A PatientID that the trial does not know: one letter more, up to another one altogether."""
    known = str(series[0].PatientID)
    other = f"{known}A" if strength < 0.5 else f"{known[::-1]}" if strength < 1 else f"GUEST{known[1:]}"
    for ds in series:
        ds.PatientID = other
    return list(series)


@fault("C09", "error", "a visit that was not planned", kinds=("t2ax", "t2sag", "t1"), trial="visits")
def unplanned_visit(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The second visit lies 20 to 100 days before the planned day."""
    first = datetime.strptime(str(_visit(series, 0)[0].StudyDate), "%Y%m%d")
    when = first + timedelta(days=VISIT_DAYS[1] - int(grade(strength, 20, 100)))
    for ds in _visit(series, 1):
        ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = f"{when:%Y%m%d}"
    return list(series)


@fault("C10", "warning", "a visit missing", kinds=("t2ax", "t2sag", "t1"), trial="visits", graded=False)
def visit_missing(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The second visit was never sent."""
    return list(_visit(series, 0))
