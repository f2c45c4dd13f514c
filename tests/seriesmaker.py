"""Makes inventory rows as vendors would write them, without files: the input of stacking and harmonising."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from trialbids.exporter.harmonise import Harmonised, harmonise
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.stacks import Stacking, stack_instances
from trialbids.mappings.rules import load_rules

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
MR, CT = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"


def uid(*words: object) -> str:
    """A valid UID that depends on the words."""
    return "2.25." + str(int(hashlib.sha256(repr(words).encode()).hexdigest()[:24], 16))


def series(
    number: int, n_slices: int = 4, *, piece: object = 0, orientation: Sequence[float] = AXIAL, **header: Any
) -> list[Instance]:
    """One volume of one series, or (``piece``) one of several kinds of image in it; any keyword can be given."""
    values: dict[str, Any] = {
        "PatientID": "P1",
        "StudyInstanceUID": uid("study"),
        "SeriesInstanceUID": uid("series", header.get("StudyInstanceUID"), number),
        "FrameOfReferenceUID": uid("frame"),
        "Modality": "MR",
        "SOPClassUID": MR,
        "SeriesNumber": number,
        "MagneticFieldStrength": 3.0,
        "PhotometricInterpretation": "MONOCHROME2",
        "ImageType": ("ORIGINAL", "PRIMARY", "M"),
    } | header
    x, y = orientation[:3], orientation[3:]
    normal = (x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0])
    rows = []
    for k in range(n_slices):
        rows.append(
            Instance(
                **(
                    {
                        "path": f"/data/{number:04d}/{piece}-{k:04d}.dcm",
                        "SOPInstanceUID": uid(values["SeriesInstanceUID"], piece, k),
                        "pixel_length": 128,
                        "InstanceNumber": k + 1,
                        "ImagePositionPatient": tuple(5.0 * k * c for c in normal),
                        "ImageOrientationPatient": tuple(orientation),
                        "Rows": 8,
                        "Columns": 8,
                        "PixelSpacing": (1.0, 1.0),
                    }
                    | values
                )
            )
        )
    return rows


def repeat(rows: Sequence[Instance], times: int, **per_time: Sequence[Any]) -> list[Instance]:
    """The same volume several times in one series, each time with its own header values."""
    made = []
    for t in range(times):
        for k, row in enumerate(rows):
            changes = {name: values[t] for name, values in per_time.items()}
            number = t * len(rows) + k + 1
            made.append(
                replace(
                    row,
                    **(
                        {
                            "path": f"{row.path}.{t:03d}",
                            "SOPInstanceUID": uid(row.SOPInstanceUID, t),
                            "InstanceNumber": number,
                        }
                        | changes
                    ),
                )
            )
    return made


def content(instance: Instance) -> str:
    """A digest by path: every file differs."""
    return instance.path


def stacks_of(*rows: Sequence[Instance]) -> Stacking:
    """Stack some series together."""
    return stack_instances([i for part in rows for i in part], content)


def records_of(*rows: Sequence[Instance]) -> list[Harmonised]:
    """Stack and harmonise some series of one study together."""
    return harmonise(stacks_of(*rows).stacks, load_rules())
