"""One visit of one patient: the series her centre sends, with the faults that belong to her."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from . import extras, ge, philips, siemens
from .enhanced import enhanced_object
from .objects import Study, classic_objects, to_bytes
from .people import Patient, Visit
from .series import Expected, Series
from .signal import Scanner

STUDY: Mapping[str, Callable[[Scanner, bool], list[Series]]] = {
    "siemens": siemens.study,
    "ge": ge.study,
    "philips": philips.study,
}


@dataclass(frozen=True)
class Faults:
    """What is wrong or unusual in one patient's delivery; series are named by their role.

    ``wrong_text`` replaces a description by one that contradicts the physics; ``lost`` slices never arrived;
    ``resent`` came twice, byte for byte; ``enhanced`` is stored as multi-frame; ``aborted`` was tried once before,
    and the transfer of its only slice broke off.
    """

    wrong_text: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    resent: tuple[str, ...] = ()
    enhanced: tuple[str, ...] = ()
    aborted: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


FAULTS: tuple[Faults, ...] = (
    Faults(extras=("screenshot",)),
    Faults(resent=("t2ax",), extras=("report",)),
    Faults(wrong_text={"t2ax": "T1 TSE ax"}, extras=("presentation",)),
    Faults(enhanced=("t2sag",), extras=("screenshot",)),
    Faults(lost={"t2ax": (7,)}),
    Faults(aborted=("t2ax",)),
)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One series as files, and what is expected of its stacks, each with its number of instances or frames."""

    role: str
    text: str
    uid: str
    number: int
    modality: str
    manufacturer: str
    files: tuple[bytes, ...]
    stacks: tuple[tuple[Expected, int], ...]
    copies: int = 1
    note: str = ""


def stored_study(patient: Patient, visit: Visit, seed: int) -> list[Stored]:
    """All series of a visit, in order. Visits after the first are shorter and without faults."""
    study = Study(patient, visit, seed)
    rng = np.random.default_rng([seed, patient.index, visit.number, 2])
    series = STUDY[patient.centre.vendor](Scanner(patient.phantom(visit), rng), visit.number > 1)
    faults = FAULTS[patient.index] if patient.index < len(FAULTS) and visit.number == 1 else Faults()
    stored = list(_stored(study, series, faults))
    return [*stored, *(_extra(study, kind, 900 + k, stored) for k, kind in enumerate(faults.extras))]


def _stored(study: Study, series: list[Series], faults: Faults) -> Iterator[Stored]:
    clock = 0.0
    for series_number, sent in enumerate((_with_faults(s, faults) for s in series), 1):
        if sent.role in faults.aborted:
            yield _aborted(study, sent, 50 + series_number, clock)
            clock += 90
        yield _store(study, sent, series_number, clock, faults)
        clock += sent.duration_s


def _with_faults(series: Series, faults: Faults) -> Series:
    if series.role in faults.wrong_text:
        return replace(series, text=faults.wrong_text[series.role])
    if series.role in faults.lost:
        return replace(series, lost_slices=faults.lost[series.role])
    return series


def _store(study: Study, series: Series, series_number: int, clock: float, faults: Faults) -> Stored:
    """One series as its files, with the fault noted in what is expected."""
    enhanced = series.role in faults.enhanced
    if enhanced:
        files = (to_bytes(enhanced_object(study, series, series_number, clock)),)
    else:
        files = tuple(classic_objects(study, series, series_number, clock))
    resent, wrong = series.role in faults.resent, series.role in faults.wrong_text
    return Stored(
        role=series.role,
        text=series.text,
        uid=study.uid("series", series.role),
        number=series_number,
        modality="MR",
        manufacturer=str(series.header["Manufacturer"]),
        files=files,
        stacks=tuple(_stacks(series)),
        copies=2 if resent else 1,
        note="sent twice, identical copies" if resent else "the description contradicts the physics" if wrong else "",
    )


def _stacks(series: Series) -> Iterator[tuple[Expected, int]]:
    """The expected stacks of a series; products without an expectation of their own join the one before."""
    lost = len(series.lost_slices)
    grouped: list[tuple[Expected, int]] = []
    for product in series.products:
        count = product.grid.slices - lost
        if product.expected is not None:
            grouped.append((product.expected, count))
        else:
            grouped[-1] = (grouped[-1][0], grouped[-1][1] + count)
    for expected, count in grouped:
        if lost:
            defect = f"missing slice: {count} of {count + lost}, gap inside the volume"
            yield replace(expected, sound="no", defect=defect, decision="keep|quarantine"), count
        else:
            yield expected, count


def _aborted(study: Study, series: Series, series_number: int, clock: float) -> Stored:
    """A first attempt of a series: one slice, the file cut off in the middle of its pixels."""
    attempt = replace(series, role=f"{series.role}-aborted", text=f"{series.text} aborted")
    whole = next(iter(classic_objects(study, attempt, series_number, clock)))
    expected = next(p.expected for p in attempt.products if p.expected is not None)
    defect = "truncated: the only file ends in the middle of its pixels"
    return Stored(
        role=attempt.role,
        text=attempt.text,
        uid=study.uid("series", attempt.role),
        number=series_number,
        modality="MR",
        manufacturer=str(attempt.header["Manufacturer"]),
        files=(whole[: len(whole) - 9001],),
        stacks=((replace(expected, sound="no", defect=defect, decision="quarantine"), 1),),
        note="may be listed as unreadable, and then is no stack",
    )


def _extra(study: Study, kind: str, series_number: int, images: list[Stored]) -> Stored:
    """A screenshot, a report or a presentation state."""
    uid = study.uid("extra", kind)
    match kind:
        case "screenshot":
            modality, data = "MR", extras.screenshot(study, uid, series_number)
            expected = NOT_AN_IMAGE
        case "report":
            modality, data = "SR", extras.report(study, uid, series_number)
            expected = replace(NOT_AN_IMAGE, decision="exclude|quarantine", sequence="*")
        case _:
            target = next(s for s in images if s.role == "t2sag")
            image_uid = study.uid("series", "t2sag", 10)
            modality = "PR"
            data = extras.presentation_state(study, uid, series_number, image_uid, target.uid)
            expected = replace(NOT_AN_IMAGE, decision="exclude|quarantine", sequence="*")
    return Stored(
        role=kind, text=kind, uid=uid, number=series_number, modality=modality, manufacturer="Demo PACS",
        files=(data,), stacks=((expected, 1),), note="not an image of the patient",
    )  # fmt: skip


NOT_AN_IMAGE = Expected(
    sequence="secondary", plane="*", dim="*", technique="*", fatsat="*", dixon="*", derived="*", part="*", agent="*",
    decision="exclude", sound="no",
)  # fmt: skip
