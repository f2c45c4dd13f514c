"""Examinations in memory for the tests of protocols: series as three vendors write them, planned as a trial's are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seriesmaker import AXIAL, SAGITTAL, content, repeat, series, uid

from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.harmonise import harmonise
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.plan.build import Planned, build_plan
from trialbids.exporter.plan.ledger import Ledger
from trialbids.exporter.plan.visits import find_visits
from trialbids.exporter.stacks import stack_instances
from trialbids.exporter.trial import Trial
from trialbids.mappings.rules import load_rules

VENDORS = {
    "siemens": {"Manufacturer": "SIEMENS", "ManufacturerModelName": "Prisma", "SoftwareVersions": "syngo MR E11"},
    "ge": {"Manufacturer": "GE MEDICAL SYSTEMS", "ManufacturerModelName": "Premier", "SoftwareVersions": "29.1"},
    "philips": {"Manufacturer": "Philips", "ManufacturerModelName": "Ingenia", "SoftwareVersions": "5.7.1"},
}
TSE = {
    "ScanningSequence": ("SE",), "SequenceVariant": ("SK",), "MRAcquisitionType": "2D", "EchoTrainLength": 20,
    "RepetitionTime": 4500.0, "EchoTime": 100.0, "FlipAngle": 140.0, "SliceThickness": 3.0,
    "PixelSpacing": (0.4, 0.4), "Rows": 450, "Columns": 450, "AcquisitionMatrix": (0, 450, 300, 0),
    "InPlanePhaseEncodingDirection": "COL",
}  # fmt: skip
EPI = {
    "ScanningSequence": ("EP", "SE"), "MRAcquisitionType": "2D", "EchoTrainLength": 60, "RepetitionTime": 4800.0,
    "EchoTime": 70.0, "FlipAngle": 90.0, "SliceThickness": 3.0, "PixelSpacing": (1.6, 1.6), "Rows": 125,
    "Columns": 125, "ScanOptions": ("FS",),
}  # fmt: skip
VIBE = {
    "ScanningSequence": ("GR",), "SequenceVariant": ("SP",), "MRAcquisitionType": "3D", "RepetitionTime": 5.0,
    "EchoTime": 1.8, "FlipAngle": 12.0, "SliceThickness": 3.0, "PixelSpacing": (1.2, 1.2), "Rows": 200, "Columns": 200,
    "ScanOptions": ("FS",), "ContrastBolusAgent": "Gadovist",
}  # fmt: skip
PHASES, STEP_S = 11, 12


def prostate(patient: int, vendor: str = "siemens", **header: Any) -> dict[str, list[Instance]]:
    """A whole examination that keeps PI-RADS v2.1, by slot. ``header`` is for every image."""
    everywhere = {
        "PatientID": f"P{patient}", "StudyInstanceUID": uid("study", patient), "StudyDate": "20240102",
        "StudyTime": "090000", "BodyPartExamined": "PROSTATE", "StudyDescription": "MR prostate",
        "DeviceSerialNumber": "4711", **VENDORS[vendor], **header,
    }  # fmt: skip

    def one(number: int, text: str, *, orientation: Sequence[float] = AXIAL, **own: Any) -> list[Instance]:
        return spaced(series(number, 6, orientation=orientation, SeriesDescription=text, **everywhere | own))

    times = [f"09{30 + STEP_S * t // 60:02d}{STEP_S * t % 60:02d}" for t in range(PHASES)]
    diffusion = one(4, "ep2d diff tra", **EPI)
    return {
        "t2-ax": one(2, "t2 tse tra", **TSE),
        "t2-sag": one(3, "t2 tse sag", orientation=SAGITTAL, **TSE),
        "dwi": repeat(diffusion, 3, b_value=(50.0, 800.0, 1500.0), AcquisitionTime=("091000",) * 3),
        "adc": one(5, "ep2d diff tra ADC", **EPI | {"ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")}),
        "dce": repeat(
            one(6, "t1 vibe tra dynamic", NumberOfTemporalPositions=PHASES, **VIBE), PHASES,
            AcquisitionTime=times, TemporalPositionIdentifier=range(1, PHASES + 1),
        ),
    }  # fmt: skip


def spaced(rows: Sequence[Instance], millimetres: float = 3.0) -> list[Instance]:
    """The slices so far apart as they are meant to be: the maker of series puts them 5 mm apart."""
    factor = millimetres / 5.0
    return [replace(r, ImagePositionPatient=tuple(factor * x for x in r.ImagePositionPatient)) for r in rows]


def changed(rows: Iterable[Instance], **header: Any) -> list[Instance]:
    """The same images with other header values."""
    return [replace(r, **header) for r in rows]


def plan(examinations: Iterable[dict[str, list[Instance]]], **trial: Any) -> tuple[Planned, ...]:
    """The plan of all examinations together."""
    rows = [i for examination in examinations for images in examination.values() for i in images]
    place = Path("/nowhere")
    values = {"sources": [place], "output": place / "bids", "work": place / "work", "site": {"value": "S1"}} | trial
    ledger = Ledger()
    visits = find_visits(rows, Trial.model_validate(values), Pseudonyms(bytes(range(32))), ledger)
    harmonised = harmonise(stack_instances(rows, content).stacks, load_rules())
    return build_plan(harmonised, visits, ledger, ())
