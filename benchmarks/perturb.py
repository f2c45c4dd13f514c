"""Damage to headers as it happens in trials: text on the wrong series, no text, one element gone."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from trialbids.exporter.inventory.instance import Instance

FIELDS = {f.name: f for f in fields(Instance)}

SWAPPED = ("SeriesDescription", "ProtocolName")
TEXT = tuple(
    name
    for name in (
        *SWAPPED,
        "StudyDescription",
        "DerivationDescription",
        "RequestedProcedureDescription",
        "ImageComments",
    )
    if name in FIELDS
)
"""Free text, typed by people or carried over from what they typed."""

KEPT = frozenset(
    {
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "PatientID",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "SamplesPerPixel",
        "NumberOfFrames",
        "PixelRepresentation",
    }
)
"""Never taken away: without these there is no readable image, or nobody knows whose it is."""

OURS = {"DiffusionBValue": ("b_value", "b_value_source"), "DiffusionGradientOrientation": ("b_direction",)}
"""Elements that the inventory keeps under names of its own."""

EXEMPT: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "ImageOrientationPatient": "plane",
        "MRAcquisitionType": "dim",
        "ImageType": "dixon derived part",
        "ContrastBolusAgent": "agent agent_name",
        "BodyPartExamined": "bodypart",
        "Laterality": "laterality",
        "ImageLaterality": "laterality",
        "ConvolutionKernel": "kernel",
        "Radiopharmaceutical": "tracer",
        "CorrectedImage": "recon",
        "ScanOptions": "fatsat",
        "SpectrallySelectedSuppression": "fatsat",
        "EchoNumbers": "echo_index",
        "EchoTime": "echo_index",
        "FlipAngle": "flip_index",
        "DiffusionBValue": "bvalues",
        "TemporalPositionIdentifier": "phase_index phase_time_s phase_time_source",
        "TriggerTime": "phase_index phase_time_s phase_time_source",
        "AcquisitionTime": "phase_index phase_time_s phase_time_source",
        "AcquisitionNumber": "phase_index",
        "ComplexImageComponent": "part",
        "Modality": "kernel tracer recon",
        "StudyDescription": "bodypart",
    }.items()
}
"""Which attributes an element defines, so that nobody can tell them without it.

An organ such as the cervix is often named in the description of the study alone: BodyPartExamined says PELVIS."""


Changes = Mapping[str, str | None]
"""What some elements of a header are changed to; None takes the element away."""


def swapped(texts: Mapping[str, tuple[str, ...]], portion: float, seed: int) -> dict[str, Changes]:
    """Text of other series for a portion of the series, by their key; ``texts`` holds the :data:`SWAPPED` of each.

    The chosen series pass their text on in a circle, so each gets the text of another.
    """
    keys = sorted(texts)
    chosen = random.Random(seed).sample(keys, round(portion * len(keys)))
    moved = zip(chosen, chosen[1:] + chosen[:1], strict=True)
    return {key: dict(zip(SWAPPED, texts[other], strict=True)) for key, other in moved}


def without(*names: str) -> Changes:
    """Elements taken away."""
    return dict.fromkeys(names)


def changed(instance: Instance, changes: Changes) -> Instance:
    """A copy of an instance with its header changed."""
    values: dict[str, Any] = {}
    for element, value in changes.items():
        for name in OURS.get(element, (element,)):
            values[name] = FIELDS[name].default if value is None else value
    return replace(instance, **values)


def held(instance: Instance) -> set[str]:
    """The elements of an instance that may be taken away."""
    own = {name for name in FIELDS if getattr(instance, name) not in (None, "", ())}
    return {n for n in own if n[0].isupper()} - KEPT | {e for e, (first, *_) in OURS.items() if first in own}
