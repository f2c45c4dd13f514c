"""Which cases there are, and how one is made: a clean session under its own patient, then the fault."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from . import (
    converter,
    faults_diffusion,
    faults_dynamic,
    faults_files,
    faults_geometry,
    faults_identity,
    faults_pixels,
    faults_protocol,
    realdata,
)
from .enhanced import packed
from .fault import FAULTS, MR_VENDORS, STRENGTHS, Fault, Item
from .scans import Slice, make_scan
from .vendors import VENDORS
from .writer import write_files

TABLES = (
    faults_files, faults_identity, faults_geometry, faults_diffusion, faults_dynamic, faults_pixels, faults_protocol,
    converter,
)  # fmt: skip
"""The modules that fill :data:`FAULTS`."""

WANTED = {"error": 60, "warning": 30}
WHOLE_STUDY = "t2ax+t2sag+t1+dwi+dce+dixon+echoes"
CLEAN_ROUNDS = 4
LEAST_HABIT = 3
"""Rounds of clean sessions that make a habit of each maker's protocol, against which a variant is rare (R03)."""
REAL, AS_IT_IS = "real ", "as it is "
REAL_FAULTS = {"F01", "F02", "F07", "C01", "C02", "C05", "D05", "G01", "G02", "G04", "G05", "G07", "G08", "P01", "P05"}
"""Checks of which some cases are put into real series: their faults need to know of a volume alone."""
SESSIONS = {
    "protocol": ("t2ax+t2sag+dwi+dce", *("t2ax+t2sag+dwi",) * 5),
    "visits": ("t2ax",),
    "converter": ("t2ax",),
}
"""The clean sessions of trials that are not about all kinds of scan."""


@dataclass(frozen=True)
class Case:
    """One session of one patient: clean where ``fault`` is None. ``number`` makes its identifiers and its noise."""

    number: int
    trial: str
    vendor: str
    kind: str
    strength: str = ""
    packed: bool = False
    fault: int | None = None

    @property
    def id(self) -> str:
        """The PatientID, and the name of the folder."""
        return f"C{self.number:05d}"

    @property
    def what(self) -> Fault | None:
        """The fault of the table."""
        return None if self.fault is None else FAULTS[self.fault]


@dataclass(frozen=True)
class Written:
    """A case on disk: how the program's findings are brought back to it, and what the plainest check says of it."""

    case: Case
    series: frozenset[str]
    patients: frozenset[str]
    files: int
    gap: bool


def all_cases(wanted: dict[str, int], rounds: int, checks: Iterable[str] = ()) -> list[Case]:
    """The cases of every fault, or of some checks, and the clean sessions of every trial that has any.

    ``wanted`` is the number of cases a check of that severity; they are spread over its faults, makers and strengths.
    """
    chosen = set(checks)
    cases: list[Case] = []
    for check, severity in sorted({(f.check, f.severity) for f in FAULTS}):
        if chosen and check not in chosen:
            continue
        kinds = [k for k, f in enumerate(FAULTS) if (f.check, f.severity) == (check, severity)]
        share = -(-wanted[severity] // len(kinds))
        for k in kinds:
            cases += _cases_of(k, max(share, 1), len(cases))
    trials = {case.trial for case in cases}
    for trial in sorted(trials):
        again = rounds if trial == "pixel" or "pixel" not in trials else 1
        cases += _clean(trial, max(again, LEAST_HABIT) if trial == "protocol" else again, len(cases))
    return cases


def _cases_of(index: int, count: int, start: int) -> list[Case]:
    """Cases of one fault: makers change fastest, then strengths, then kinds of scan, from a place of its own."""
    fault = FAULTS[index]
    strengths = list(STRENGTHS) if fault.graded else ["gross"]
    offset = int(hashlib.sha256(fault.name.encode()).hexdigest()[:6], 16)
    cases: list[Case] = []
    for n in range(count):
        vendor = fault.vendors[(offset + n) % len(fault.vendors)]
        strength = strengths[(offset + n) % len(strengths)]
        kind = fault.kinds[(offset // 7 + n // len(strengths)) % len(fault.kinds)]
        if "ct" in kind and vendor not in ("siemens", "ge", "philips", "toshiba"):
            vendor = ("siemens", "ge", "philips", "toshiba")[n % 4]
        real = realdata.simple_series() if fault.check in REAL_FAULTS and len(fault.kinds) > 3 else ()
        if real and n % 4 == 3:
            chosen = (offset + n) // 4 % len(real)
            vendor, kind = f"real {real[chosen].vendor}", f"{REAL}{chosen}"
        frames = (
            not kind.startswith(REAL)
            and fault.packed
            and VENDORS[vendor].enhanced
            and "ct" not in kind
            and (offset + n) % 3 != 0
        )
        cases.append(Case(start + n, fault.trial, vendor, kind, strength, frames, index))
    return cases


def _clean(trial: str, rounds: int, start: int) -> list[Case]:
    """Whole studies of every maker, multi-frame ones, and CT; what the protocol asks for, and two visits each."""
    cases: list[Case] = []
    for _, vendor in product(range(rounds), MR_VENDORS):
        if trial in SESSIONS:
            kinds = SESSIONS[trial]
            cases += [Case(start + len(cases) + k, trial, vendor, kind) for k, kind in enumerate(kinds)]
            continue
        cases.append(Case(start + len(cases), trial, vendor, WHOLE_STUDY))
        cases.append(Case(start + len(cases), trial, vendor, "ct"))
        if VENDORS[vendor].enhanced:
            cases.append(Case(start + len(cases), trial, vendor, "t2ax+t2sag+dwi+dce", packed=True))
    if trial in ("header", "pixel"):
        for index, series in enumerate(realdata.sound_series()):
            cases.append(Case(start + len(cases), trial, f"real {series.vendor}", f"{AS_IT_IS}{index}"))
    return cases


def clean_of(case: Case) -> list[Slice]:
    """The session of a case before anything happened to it, as slices."""
    if case.kind.startswith(REAL):
        return realdata.faultless(realdata.simple_series()[int(case.kind.removeprefix(REAL))], case.id)
    series: list[Slice] = []
    for kind in case.kind.split("+"):
        first = 2 + len({ds.SeriesInstanceUID for ds in series})
        series += make_scan(case.vendor, kind, case.id, case.number, first=first)
    if case.trial == "visits":
        series += faults_protocol.second_visit(series, np.random.default_rng([case.number, 180]))
    return series


def made(case: Case) -> Sequence[Item]:
    """The data sets of a case, with its fault."""
    if case.kind.startswith(AS_IT_IS):
        files = realdata.sound_series()[int(case.kind.removeprefix(AS_IT_IS))].files
        return [path.read_bytes() for path in files]
    series = clean_of(case)
    if case.what is None:
        return packed(series) if case.packed else series
    rng = np.random.default_rng([case.number, 4242])
    if case.packed and case.what.after_packing:
        return case.what.inject(packed(series), STRENGTHS[case.strength], rng)
    items = case.what.inject(series, STRENGTHS[case.strength], rng)
    return packed([ds for ds in items if isinstance(ds, Slice)]) if case.packed else items


def write_case(case: Case, root: Path) -> Written:
    """Make a case and write it below the root of its trial."""
    items = made(case)
    headers = [header for item in items if (header := _header(item)) is not None]
    files = write_files(items, root / case.trial / "dicom" / case.id)
    return Written(
        case,
        frozenset(str(h.get("SeriesInstanceUID", "")) for h in headers) - {""},
        frozenset(str(h.get("PatientID", "")) for h in headers) - {""},
        files,
        has_number_gap(headers),
    )


def _header(item: Item) -> Dataset | None:
    if isinstance(item, Dataset):
        return item
    try:
        return dcmread(io.BytesIO(item), stop_before_pixels=True)
    except (InvalidDicomError, EOFError, OSError):
        return None


def has_number_gap(headers: Iterable[Dataset]) -> bool:
    """The plainest check there is, and the only one that most platforms have: do instance numbers run on?"""
    series: dict[str, list[int]] = {}
    for header in headers:
        if header.get("InstanceNumber") is not None:
            series.setdefault(str(header.get("SeriesInstanceUID")), []).append(int(header.InstanceNumber))
    for numbers in series.values():
        ordered = sorted(numbers)
        if ordered != list(range(ordered[0], ordered[0] + len(ordered))):
            return True
    return False
